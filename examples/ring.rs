//! The ring alone: one thread writes trades, two follow, the second behind the first.
//!
//! ```text
//!     trades --> check --> volume
//! ```
//!
//! `cargo run --example ring`

use std::thread;

use bytemuck::{Pod, Zeroable};
use ringtape::error::Result;
use ringtape::ring::{RingBuilder, Wait};

/// Any plain old data rides a ring.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Trade {
    price: i64,
    shares: u64,
}

fn main() -> Result<()> {
    let mut ring = RingBuilder::<Trade>::new("trades", 1024)?;
    let check = ring.stage("check", &[])?;
    let volume = ring.stage("volume", &[check])?;
    let (mut trades, mut consumers) = ring.build()?;
    let (mut check, mut volume) = (consumers.take(check)?, consumers.take(volume)?);

    // A stage can hand every record to a function ...
    let checked = thread::spawn(move || {
        check.run(Wait::Auto, &mut |sequence, trade: &Trade| match trade.price {
            1.. => Ok(()),
            price => Err(format!("trade {sequence} at {price}").into()),
        })
    });
    // ... or take batches as they come.
    let summed = thread::spawn(move || -> Result<u64> {
        let mut shares = 0;
        while let Some(batch) = volume.next_batch(usize::MAX, Wait::Auto)? {
            shares += batch.iter().map(|trade| trade.shares).sum::<u64>();
        }
        Ok(shares)
    });

    for number in 0..100_000 {
        let mut claim = trades.claim(1, Wait::Auto)?;
        claim.set(0, Trade { price: 100 + number % 7, shares: 10 });
        claim.commit_all();
    }
    trades.close();
    checked.join().expect("check does not panic")?;
    println!("volume {}", summed.join().expect("volume does not panic")?);
    Ok(())
}
