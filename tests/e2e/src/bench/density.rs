//! How much memory a thousand user Workers take.

use std::time::Instant;

use anyhow::{Result, ensure};
use tidegate_e2e::{LocalPlatform, Upstream};

use crate::deployments::{deploy, furnish};
use crate::figures::resident;

const WORKERS: usize = 1000;

pub(crate) async fn measure() -> Result<()> {
    let upstream = Upstream::start().await?;
    let platform = LocalPlatform::start(upstream.address()).await?;
    furnish(&platform, None).await?;
    let begun = Instant::now();
    for number in 0..WORKERS {
        let code = format!("export default {{ fetch: () => new Response('{number}') }};\n// {}", "x".repeat(20_000));
        deploy(&platform, &format!("w{number}"), &code).await?;
    }
    println!("{WORKERS} user Workers of 20 KB, deployed in {:.1} s:", begun.elapsed().as_secs_f64());
    let mut most = 0;
    for round in 1..=2 {
        for number in 0..WORKERS {
            let (status, body) = platform.get(&format!("w{number}.apps.example"), "/").await?;
            ensure!((status, body.as_str()) == (200, number.to_string().as_str()), "w{number}: {status} {body}");
            if number % 50 == 0 {
                most = most.max(resident(platform.pid()?)?);
            }
        }
        let now = resident(platform.pid()?)?;
        most = most.max(now);
        println!("  served each, round {round}: {} MiB resident in workerd, {} MiB at most", now >> 20, most >> 20);
    }
    platform.stop().await;
    Ok(())
}
