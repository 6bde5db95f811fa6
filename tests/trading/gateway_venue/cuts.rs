//! Connections that are cut at any byte.

use ringtape::units::Side;

use super::inside::{Fill, Inside, fidget, fills, repeat, trade};
use super::proxy::Proxy;

#[test]
fn connections_cut_at_any_byte_lose_and_repeat_no_fill() {
    for seed in 1..=2 {
        let folder = tempfile::tempdir().expect("a folder");
        let [of_run, of_venue] = ["run", "venue"].map(|name| folder.path().join(name));
        let venue = Inside::start(&of_venue);
        let proxy = Proxy::start(venue.address(), seed, 30);
        let report = trade(&of_run, proxy.address(), 1_500, fidget);
        // What was still on its way as the run ended is told to the one that goes on with it.
        let told_late = trade(&of_run, venue.address(), 1_500, fidget);
        let connections = proxy.stop();
        let counts = venue.close();
        let gateway = report.gateway.as_ref().expect("a gateway");
        let about = format!("seed {seed}, {connections} connections: {gateway:?}, {counts:?}");
        // How far it comes depends on the machine.
        assert!(connections > 5 && gateway.counts.sessions > 3, "{about}");
        assert!(counts.sessions >= gateway.counts.sessions, "{about}");
        assert!(gateway.counts.recovered > 0 && report.trades.rejected > 0, "{about}");
        assert_eq!(gateway.differences, 0, "{about}: {:?}", report.trader_warnings);
        let own = fills(&of_run, 100, |_| true);
        let told = fills(&of_venue, 1, |order| order >> 40 > 0);
        assert!(own.len() > 20, "{} fills, {about}", own.len());
        let differ = own.iter().zip(&told).position(|(own, told)| own != told);
        assert_eq!((own.len(), differ), (told.len(), None), "{about}");
        let signed =
            |fill: &Fill| if fill.1 == Side::Buy as u8 { fill.3 as i64 } else { -(fill.3 as i64) };
        let held: i64 = told.iter().map(signed).sum();
        assert_eq!(told_late.portfolio[0].position, held, "{about}");
        assert_eq!(repeat(&of_run, fidget).hashes, told_late.hashes, "{about}");
    }
}
