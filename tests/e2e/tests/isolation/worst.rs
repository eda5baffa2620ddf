//! Workers at their worst: they loop, leak, throw at their start, answer nonsense. Others go on being served.

use std::time::Instant;

use tidegate_platform::runtime::{Event, PATIENCE};

use super::*;

/// Answers what is no answer, by the path.
const NONSENSE: &str = include_str!("workers/nonsense.js");

/// Loops when it is told to.
const LOOPING: &str = r#"
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/loop") for (;;) {}
    if (pathname === "/wait") await scheduler.wait(60_000);
    return new Response("fine");
  },
};
"#;

impl Hosting {
    /// Has a Worker hang, and waits until the others are served again; gives how long they were not.
    async fn outage(&self, name: &str, path: &str) -> Result<Duration> {
        let pid = self.pid().await?;
        // What ended before is known to be over with the next sign of life.
        tokio::time::sleep(Duration::from_millis(600)).await;
        let begun = Instant::now();
        let hung = async {
            let _ = self.ask(name, path, &[]).await;
        };
        let replaced = async {
            while self.pid().await? == pid {
                ensure!(begun.elapsed() < Duration::from_mins(1), "nothing hangs");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            self.text("victim", "/").await
        };
        let ((), served) = tokio::join!(hung, replaced);
        assert_eq!(served?, "served");
        Ok(begun.elapsed())
    }

    /// The process id of workerd, as soon as it runs.
    async fn pid(&self) -> Result<u32> {
        for _ in 0..1000 {
            if let Ok(pid) = self.platform.pid() {
                return Ok(pid);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.platform.pid()
    }

    fn rests(&self) -> Vec<String> {
        let rest = |event| match event {
            Event::Quarantined(script) => Some(script),
            _ => None,
        };
        self.platform.events().into_iter().filter_map(rest).collect()
    }
}

#[tokio::test]
async fn a_worker_that_hangs_again_and_again_rests_and_is_not_run() -> Result<()> {
    let hosting = Hosting::start().await?;
    hosting.user("victim", &saying("served"), &json!({})).await?;
    hosting.user("looping", LOOPING, &json!({})).await?;
    for round in 1..=3 {
        assert_eq!(hosting.text("looping", "/").await?, "fine", "it is served until it rests");
        let outage = hosting.outage("looping", "/loop").await?;
        eprintln!("outage {round}: {outage:?}");
        assert!(outage >= PATIENCE);
    }
    assert_eq!(hosting.rests(), ["customers/looping"]);
    let pid = hosting.platform.pid()?;
    for path in ["/loop", "/"] {
        let (status, said) = hosting.ask("looping", path, &[]).await?;
        assert_eq!(status, 503, "{said}");
        assert!(said.contains("`looping`") && said.contains("rests for"), "{said}");
    }
    assert_eq!(hosting.text("victim", "/").await?, "served");
    assert_eq!(hosting.platform.pid()?, pid, "it was not run");
    // Another version is another matter.
    hosting.user("looping", &saying("mended"), &json!({})).await?;
    assert_eq!(hosting.text("looping", "/").await?, "mended");
    Ok(())
}

/// It would have another one blamed: its own invocation is over, by its own account, when it hangs.
#[tokio::test]
async fn a_worker_that_hangs_cannot_have_another_blamed_for_it() -> Result<()> {
    let hosting = Hosting::start().await?;
    hosting.user("victim", &saying("served"), &json!({})).await?;
    hosting.user("busy", LOOPING, &json!({})).await?;
    let framing = r#"
        export default {
          async fetch(request, env, ctx) {
            if (request.headers.has("x-again")) return new Response("again");
            await ctx.exports.default.fetch("http://any/", { headers: { "cf-ray": request.headers.get("cf-ray"), "x-again": "1" } });
            await scheduler.wait(600);
            for (;;) {}
          },
        };
    "#;
    hosting.user("framing", framing, &json!({})).await?;
    for _ in 0..3 {
        let busy = hosting.ask("busy", "/wait", &[]);
        let (_, outage) = tokio::join!(busy, hosting.outage("framing", "/"));
        outage?;
    }
    assert_eq!(hosting.rests(), [""; 0], "nobody rests for what another may have done");
    let hangs: Vec<Vec<String>> = hosting
        .platform
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Hung { invocations, .. } => Some(invocations),
            _ => None,
        })
        .collect();
    assert_eq!(hangs.len(), 3);
    for mut running in hangs {
        running.sort();
        assert_eq!(running, ["customers/busy", "customers/framing"], "both are named");
    }
    assert_eq!(hosting.text("busy", "/").await?, "fine");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_leaks_is_served_until_it_ends_the_process_and_others_after_it() -> Result<()> {
    let hosting = Hosting::start().await?;
    hosting.user("victim", &saying("served"), &json!({})).await?;
    let leaking = r#"
        const kept = [];
        const leaks = {
          buffers: () => kept.push(new Uint8Array(8 << 20).fill(1)),
          timers: () => { for (let n = 0; n < 1000; n++) setTimeout(() => {}, 1e9); },
          promises: () => { for (let n = 0; n < 10_000; n++) kept.push(new Promise(() => {})); },
          streams: () => { for (let n = 0; n < 100; n++) { const { readable, writable } = new TransformStream(); writable.getWriter().write(new Uint8Array(1000)).catch(() => {}); kept.push(readable); } },
          "never ends": () => new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(10)); } })),
          floods: () => new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1 << 16)); } })),
          waits: (ctx) => ctx.waitUntil(new Promise(() => {})),
          intervals: (ctx) => ctx.waitUntil(new Promise(() => setInterval(() => {}, 1))),
          "itself again": async (ctx) => { await Promise.all([1, 2].map(() => ctx.exports.default.fetch("http://any/leaf"))); },
        };
        export default {
          async fetch(request, env, ctx) {
            const answer = await leaks[decodeURIComponent(new URL(request.url).pathname.slice(1))]?.(ctx);
            return answer instanceof Response ? answer : new Response("leaked");
          },
        };
    "#;
    hosting.user("leaking", leaking, &json!({})).await?;
    for leak in
        ["buffers", "timers", "promises", "streams", "never%20ends", "floods", "waits", "intervals", "itself%20again"]
    {
        for _ in 0..20 {
            // An answer without end is left half-read.
            let asked = hosting.platform.send(
                Request::builder().uri(format!("/{leak}")).header("host", "leaking.apps.example").body(Body::empty())?,
            );
            let answer =
                tokio::time::timeout(Duration::from_secs(10), asked).await.with_context(|| leak.to_owned())??;
            assert_eq!(answer.status(), 200, "{leak}");
        }
        assert_eq!(hosting.text("victim", "/").await?, "served", "beside {leak}");
    }
    Ok(())
}

#[tokio::test]
async fn whatever_a_worker_answers_the_client_gets_an_answer_or_an_end_and_others_are_served() -> Result<()> {
    let hosting = Hosting::start().await?;
    hosting.user("nonsense", NONSENSE, &json!({})).await?;
    hosting.user("victim", &saying("served"), &json!({})).await?;
    let pid = hosting.platform.pid()?;
    let kinds = hosting.json("nonsense", "/").await?;
    let kinds = kinds.as_array().context("kinds")?;
    assert!(kinds.len() > 20, "{kinds:?}");
    for kind in kinds {
        let kind = kind.as_str().context("a name")?;
        let path = format!("/{}", kind.replace(' ', "%20"));
        let asked = tokio::time::timeout(Duration::from_secs(10), hosting.ask("nonsense", &path, &[]));
        // A body may break off, or have no end: that is the client's to bear. Another's headers it is not.
        if let Ok(Ok((status, body))) = asked.await {
            assert!((200..600).contains(&status), "{kind}: {status}");
            assert!(!body.contains("x-injected") && !body.contains("/tg-"), "{kind}: {body}");
        }
        assert_eq!(hosting.text("victim", "/").await?, "served", "after {kind}");
    }
    assert_eq!(hosting.platform.pid()?, pid, "nothing ended");
    let control = hosting.ask("nonsense", "/an%20honest%20answer", &[]).await?;
    assert_eq!(control, (201, "honest".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_worker_that_fails_at_every_other_start_takes_nobody_along() -> Result<()> {
    let hosting = Hosting::start().await?;
    hosting.user("victim", &saying("served"), &json!({})).await?;
    let metadata = json!({ "main_module": "index.js", "compatibility_date": "2026-01-01" });
    let code =
        "if (Math.random() < 0.5) throw new Error('not today'); export default { fetch: () => new Response('today') };";
    let (mut accepted, mut failed, mut served) = (0, 0, 0);
    for _ in 0..40 {
        let answer =
            hosting.platform.api().upload(&user("moody"), &metadata, &[Part::module("index.js", code)]).await?;
        if answer.status == 200 {
            accepted += 1;
            match hosting.ask("moody", "/", &[]).await? {
                (200, body) => served += usize::from(body == "today"),
                (500, body) => failed += usize::from(body.contains("not today")),
                other => bail!("{other:?}"),
            }
        } else {
            assert!(answer.status == 400 && answer.message()?.contains("not today"), "{answer:?}");
        }
        assert_eq!(hosting.text("victim", "/").await?, "served");
    }
    assert_eq!(accepted, failed + served);
    assert!(failed > 0 && served > 0, "{failed} failed, {served} were served");
    Ok(())
}
