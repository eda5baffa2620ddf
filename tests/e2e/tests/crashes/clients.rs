//! Clients that write, each to things of its own and all of them to one, and one that reads.
//!
//! A client asks for one thing at a time. An answer that is no success is a fault: nothing is asked for that cannot be.
//! A client that gets no answer ends, since what it works on may have gone either way: the platform was killed. Requests
//! to Workers may be lost without that, since workerd may be killed alone.

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;
use serde_json::{Value, json};
use tidegate_e2e::ApiAnswer;

use crate::model::Moment;
use crate::world::{
    CONTESTED, Deployed, NAMESPACE, Platform, Said, Temporary, World, filled, own_keys, own_namespace, own_scripts,
    path, upload,
};

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Done,
    /// The API did not answer.
    Unanswered,
}

/// One client.
pub(crate) struct Client<'w> {
    pub(crate) number: usize,
    pub(crate) world: &'w World,
    pub(crate) platform: Platform,
    pub(crate) rng: Rng,
}

impl Client<'_> {
    /// Writes something.
    pub(crate) async fn step(&mut self) -> Result<Step> {
        let script = self.rng.choice(own_scripts(self.number)).unwrap_or_default();
        let is_there = self.certain(&script)?.is_some();
        match self.rng.u8(..16) {
            4..6 if is_there => self.put_secret(&script).await,
            6 if self.certain(&script)?.is_some_and(|it| it.extra.is_some()) => self.delete_secret(&script).await,
            7..9 if is_there => self.tag(&script).await,
            9 if is_there => self.delete(&script).await,
            0..10 => self.upload(&script).await,
            10 => self.put_value().await,
            11 => self.put_values().await,
            12 => self.delete_value().await,
            13 if is_there => self.put_value_by_worker(&script).await,
            13 | 14 => self.change_namespace().await,
            _ => self.contend().await,
        }
    }

    /// What a script of this client's is: nobody else writes to it.
    fn certain(&self, script: &str) -> Result<Option<Deployed>> {
        let books = self.world.books();
        let Some(certain) = books.scripts[script].certain() else {
            bail!("`{script}` is not certain: {:?}", books.scripts[script])
        };
        Ok(certain.clone())
    }

    /// Writes to a script of this client's: `edit` says what comes of it, `ask` asks for it.
    async fn change(
        &self,
        script: &str,
        value: Option<Deployed>,
        ask: impl AsyncFnOnce(&Platform) -> Result<ApiAnswer>,
    ) -> Result<Step> {
        let begun = self.world.now();
        self.begin(script, value, begun);
        self.conclude(script, begun, ask(&self.platform).await)
    }

    fn begin(&self, script: &str, value: Option<Deployed>, begun: Moment) {
        if let Some(register) = self.world.books().scripts.get_mut(script) {
            register.begin(value, begun);
        }
    }

    fn conclude(&self, script: &str, begun: Moment, answer: Result<ApiAnswer>) -> Result<Step> {
        let step = acknowledged(answer)?;
        if step == Step::Done {
            let now = self.world.now();
            let mut books = self.world.books();
            books.acknowledged += 1;
            if let Some(register) = books.scripts.get_mut(script) {
                register.acknowledge(begun, now);
            }
        }
        Ok(step)
    }

    async fn upload(&self, script: &str) -> Result<Step> {
        let (number, kv) = (self.world.now(), self.world.kv());
        // Secrets outlive uploads, and tags do not.
        let extra = self.certain(script)?.and_then(|before| before.extra);
        let value = Deployed { number, extra, marks: std::collections::BTreeSet::new() };
        self.change(script, Some(value), async |to| upload(&to.api, NAMESPACE, script, number, &kv).await).await
    }

    async fn put_secret(&self, script: &str) -> Result<Step> {
        let number = self.world.now();
        let value = self.certain(script)?.map(|before| Deployed { extra: Some(number), ..before });
        let secret = json!({ "name": "EXTRA", "text": number.to_string(), "type": "secret_text" });
        let path = format!("{}/secrets", path(NAMESPACE, script));
        self.change(script, value, async |to| to.api.json("PUT", &path, &secret).await).await
    }

    async fn delete_secret(&self, script: &str) -> Result<Step> {
        let value = self.certain(script)?.map(|before| Deployed { extra: None, ..before });
        let path = format!("{}/secrets/EXTRA", path(NAMESPACE, script));
        self.change(script, value, async |to| to.api.delete(&path).await).await
    }

    /// Adds a tag; if there are some, takes one away.
    async fn tag(&self, script: &str) -> Result<Step> {
        let Some(mut value) = self.certain(script)? else { return Ok(Step::Done) };
        let tags = format!("{}/tags", path(NAMESPACE, script));
        if value.marks.len() > 2
            && let Some(mark) = value.marks.pop_first()
        {
            return self.change(script, Some(value), async |to| to.api.delete(&format!("{tags}/{mark}")).await).await;
        }
        let mark = format!("mark-{}", self.world.now());
        value.marks.insert(mark.clone());
        let path = format!("{tags}/{mark}");
        self.change(script, Some(value), async |to| to.api.send("PUT", &path, None, Vec::new()).await).await
    }

    async fn delete(&self, script: &str) -> Result<Step> {
        self.change(script, None, async |to| to.api.delete(&path(NAMESPACE, script)).await).await
    }

    /// Writes to the script that all write to: uploads alone and, now and then, a deletion.
    async fn contend(&mut self) -> Result<Step> {
        let (number, kv) = (self.world.now(), self.world.kv());
        if self.rng.u8(..3) == 0 {
            let begun = self.world.now();
            self.begin(CONTESTED, None, begun);
            let answer = self.platform.api.delete(&path(NAMESPACE, CONTESTED)).await;
            // Another one may have been faster: then it is not there either.
            let answer =
                answer.map(|answer| if answer.status == 404 { ApiAnswer { status: 200, ..answer } } else { answer });
            return self.conclude(CONTESTED, begun, answer);
        }
        let value = Deployed { number, extra: None, marks: std::collections::BTreeSet::new() };
        self.change(CONTESTED, Some(value), async |to| upload(&to.api, NAMESPACE, CONTESTED, number, &kv).await).await
    }

    /// Writes to keys of this client's.
    async fn write(
        &self,
        keys: &[String],
        value: Option<u64>,
        ask: impl AsyncFnOnce(&Platform) -> Result<ApiAnswer>,
    ) -> Result<Step> {
        let begun = self.world.now();
        self.begin_values(keys, value, begun);
        let step = acknowledged(ask(&self.platform).await)?;
        if step == Step::Done {
            self.acknowledge_values(keys, begun);
        }
        Ok(step)
    }

    fn begin_values(&self, keys: &[String], value: Option<u64>, begun: Moment) {
        let mut books = self.world.books();
        for key in keys {
            if let Some(register) = books.values.get_mut(key) {
                register.begin(value, begun);
            }
        }
    }

    fn acknowledge_values(&self, keys: &[String], begun: Moment) {
        let now = self.world.now();
        let mut books = self.world.books();
        books.acknowledged += 1;
        for key in keys {
            if let Some(register) = books.values.get_mut(key) {
                register.acknowledge(begun, now);
            }
        }
    }

    fn some_key(&mut self) -> String {
        self.rng.choice(own_keys(self.number)).unwrap_or_default()
    }

    async fn put_value(&mut self) -> Result<Step> {
        let (key, number) = (self.some_key(), self.world.now());
        let path = format!("storage/kv/namespaces/{}/values/{key}", self.world.kv());
        let body = filled(number).into_bytes();
        self.write(&[key], Some(number), async |to| to.api.send("PUT", &path, Some("text/plain"), body).await).await
    }

    async fn put_values(&mut self) -> Result<Step> {
        let (keys, number) = (own_keys(self.number), self.world.now());
        let pairs: Vec<Value> = keys.iter().map(|key| json!({ "key": key, "value": filled(number) })).collect();
        let path = format!("storage/kv/namespaces/{}/bulk", self.world.kv());
        self.write(&keys, Some(number), async |to| to.api.json("PUT", &path, &json!(pairs)).await).await
    }

    async fn delete_value(&mut self) -> Result<Step> {
        let key = self.some_key();
        let path = format!("storage/kv/namespaces/{}/values/{key}", self.world.kv());
        self.write(&[key], None, async |to| to.api.delete(&path).await).await
    }

    /// Has a user Worker write. Its answer may be lost with workerd.
    async fn put_value_by_worker(&mut self, script: &str) -> Result<Step> {
        let (keys, number) = ([self.some_key()], self.world.now());
        let begun = self.world.now();
        self.begin_values(&keys, Some(number), begun);
        if let Ok((200, _)) = self.platform.send("PUT", script, &format!("/{}", keys[0]), filled(number)).await {
            self.acknowledge_values(&keys, begun);
        }
        Ok(Step::Done)
    }

    /// Makes a namespace, fills it, deletes it with what is in it.
    async fn change_namespace(&mut self) -> Result<Step> {
        let name = own_namespace(self.number);
        let (begun, number) = (self.world.now(), self.world.now());
        let next = {
            let mut books = self.world.books();
            let Some(register) = books.namespaces.get_mut(&name) else { bail!("an unknown name") };
            let next = match register.certain() {
                Some(Temporary::Absent) => Temporary::Empty,
                Some(Temporary::Empty) => Temporary::Holding(number),
                Some(Temporary::Holding(_)) => Temporary::Absent,
                None => bail!("`{name}` is not certain: {register:?}"),
            };
            register.begin(next, begun);
            next
        };
        let (api, namespaces) = (&self.platform.api, "workers/dispatch/namespaces");
        let answer = match next {
            Temporary::Empty => api.json("POST", namespaces, &json!({ "name": name })).await,
            Temporary::Holding(number) => upload(api, &name, "inner", number, &self.world.kv()).await,
            Temporary::Absent => api.delete(&format!("{namespaces}/{name}")).await,
        };
        let step = acknowledged(answer)?;
        if step == Step::Done {
            let now = self.world.now();
            let mut books = self.world.books();
            books.acknowledged += 1;
            if let Some(register) = books.namespaces.get_mut(&name) {
                register.acknowledge(begun, now);
            }
        }
        Ok(step)
    }

    /// Asks a user Worker what it is: a whole version that may serve now, or nothing where there may be nothing.
    pub(crate) async fn read(&mut self) -> Result<()> {
        let names: Vec<String> = self.world.books().scripts.keys().cloned().collect();
        let Some(script) = self.rng.choice(names) else { return Ok(()) };
        let asked = self.world.now();
        // Lost with workerd, or with the platform.
        let Ok((status, body)) = self.platform.send("GET", &script, "/", String::new()).await else { return Ok(()) };
        let served = match Said::read(status, &body).with_context(|| format!("`{script}`"))? {
            Said::Version(served) => Some(served),
            Said::NotFound => None,
            Said::Failed => return Ok(()),
        };
        let mut books = self.world.books();
        let register = &books.scripts[&script];
        let is_possible = register
            .possible(asked)
            .any(|possible| possible.as_ref().map(|possible| (possible.number, possible.extra)) == served);
        ensure!(is_possible, "`{script}` serves {served:?}; asked at {asked}, it can only be one of {register:?}");
        books.served += u64::from(served.is_some());
        Ok(())
    }
}

/// Whether a request was answered; one that was refused is a fault.
fn acknowledged(answer: Result<ApiAnswer>) -> Result<Step> {
    let Ok(answer) = answer else { return Ok(Step::Unanswered) };
    ensure!(answer.status == 200, "refused: {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(Step::Done)
}
