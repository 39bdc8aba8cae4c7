//! `up` killed at any moment leaves a state in which the next `up` can continue.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::ground::{Ground, profile, within};
use crate::operator::Operator;

/// Number of kills in a row, each after what the previous one left.
const KILLS: u32 = 3;
/// Latest moment of a kill, on the stand-in; in parallel with another lane of tests an `up` from nothing takes this
/// long, and some more.
const LATEST: u64 = 45_000;

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn up_killed_at_random_moments_converges() {
    let ground = Ground::with_nothing("sigkill::up_killed_at_random_moments_converges");
    let mut seed = match std::env::var("KSTRIM_E2E_SEED") {
        Ok(text) => text.parse().expect("KSTRIM_E2E_SEED is a number"),
        Err(_) => {
            u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis())
                .expect("small")
        }
    };
    println!("  again with the same moments: KSTRIM_E2E_SEED={seed}");
    let latest = Operator::of_ground().limit(Duration::from_millis(LATEST)).as_millis();
    let latest = u64::try_from(latest).expect("small");
    for _ in 0..KILLS {
        let moment = Duration::from_millis(random(&mut seed) % latest);
        let began = Instant::now();
        let mut up = ground.up(&[]);
        while began.elapsed() < moment && !up.ended() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let run = up.kill();
        let last = run.stdout.lines().last().unwrap_or("nothing");
        println!("  killed after {:.1} s; last: {}", moment.as_secs_f64(), &last[..last.len().min(160)]);
        // Its child processes end with it: nothing may continue to change the machine in the background.
        within(Duration::from_secs(15), "kstrim's programs end with it", || {
            let left = ground.processes();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
        ground.kubeconfig_untouched();
    }
    ground.up_succeeds(&[]).events().verified(10);
    // The profile is still recognized as kstrim's own: `down` would delete it.
    let run = ground.kstrim(&["down", "-o", "json"]).expect(2);
    let events = run.events();
    let (id, failure) = events.failure();
    assert_eq!(id, "KS-CONSENT", "{run}");
    assert!(failure.to_string().contains(&format!("the minikube profile {}", profile())), "{failure}");
}

/// The next number of splitmix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
