//! When a feed is read from and to, in whose clock, and what the user knows of its instruments.
//!
//! Would catch a time that is taken in another clock than it is told in, books that are not built
//! from the start, a strategy or a statistic that begins early, a message beyond the end that still
//! counts, and a journal that does not repeat such a run.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::program::{run, run_line};

const SAMPLE: &str = "feeds/sample.itch.gz";

fn replay(arguments: &[&str]) -> Value {
    let ran = run(["replay", "--json"].iter().chain(arguments));
    assert_eq!(ran.code, 0, "{}", ran.all());
    ran.json()
}

fn messages(report: &Value) -> u64 {
    report["feed"]["messages"].as_u64().expect("a number")
}

#[test]
fn a_run_ends_before_the_first_message_at_its_end() {
    let whole = replay(&[SAMPLE]);
    let half = replay(&[SAMPLE, "--until", "12:00"]);
    let noon = 12 * 3_600_000_000_000_u64;
    assert!(half["feed"]["last_ts"].as_u64() < Some(noon));
    assert!(messages(&half) < messages(&whole));
    let types = half["feed"]["by_type"].as_object().expect("types");
    assert_eq!(types.values().filter_map(Value::as_u64).sum::<u64>(), messages(&half));

    // The same by the other commands.
    let info = run(["info", SAMPLE, "--until", "12:00", "--json"]).json();
    assert_eq!(info["messages"], half["feed"]["messages"]);
    let book = |flag| run(["book", SAMPLE, "--symbol", "ACME", flag, "12:00", "--json"]).json();
    assert_eq!(book("--at"), book("--until"));
    assert_eq!(book("--at")["messages"], half["feed"]["messages"]);
    let count = |arguments: &[&str]| {
        let ran = run(["dump", SAMPLE, "--symbols", "ACME"].iter().chain(arguments));
        ran.stdout.lines().count()
    };
    assert_eq!(count(&["--until", "12:00"]) + count(&["--from", "12:00"]), count(&[]));
}

#[test]
fn a_run_that_begins_later_has_the_books_of_the_whole_and_the_orders_of_the_rest() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let dir = scratch.path().join("run").display().to_string();
    let strategy = ["--strategy", "maker:symbols=ACME"];
    let whole = replay(&[&[SAMPLE], &strategy[..]].concat());
    let begun = [&[SAMPLE, "--from", "15:30"], &strategy[..]].concat();
    let late = replay(&[&begun[..], &["--journal", &dir]].concat());
    assert_eq!(late["hashes"]["books"], whole["hashes"]["books"]);
    assert_eq!(messages(&late), messages(&whole));
    let submitted = |report: &Value| report["orders"]["submitted"].as_u64();
    assert!(submitted(&late) > Some(0) && submitted(&late) < submitted(&whole), "{late:#}");
    assert_ne!(late["hashes"]["orders"], whole["hashes"]["orders"]);

    // What was handled before the beginning is in no percentile.
    let handled = |report: &Value| report["latency_ns"]["matching"]["count"].as_u64();
    assert!(handled(&late) < handled(&whole).map(|count| count / 3), "{late:#}");
    let info = run(["info", SAMPLE, "--from", "15:30", "--json"]).json();
    assert!(info["messages"].as_u64() <= handled(&late), "{info:#}");
    assert!(info["first_ts"].as_u64() >= Some(55_800_000_000_000));

    let repeated = replay(&[&dir]);
    assert_eq!(repeated["hashes"], late["hashes"]);
    let unpaced = replay(&[&begun[..], &["--runners", "1"]].concat());
    assert_eq!(unpaced["hashes"], late["hashes"]);
}

#[test]
fn pacing_begins_where_the_run_does() {
    // A second as recorded: the hours before it take no time.
    let window = ["--from", "15:59:59", "--until", "16:00"];
    let info = run([&["info", SAMPLE, "--json"], &window[..]].concat()).json();
    let time = |name: &str| info[name].as_u64().expect("a time");
    let recorded = (time("last_ts") - time("first_ts")) as f64 / 1e9;
    let report = replay(&[&[SAMPLE, "--speed", "1x"], &window[..]].concat());
    let flow = report["throughput"]["flow_s"].as_f64().expect("a time");
    assert!(recorded > 0.5 && flow > recorded * 0.99, "{flow} s for {recorded} s");
}

#[test]
fn a_run_that_never_begins_says_so() {
    let report = replay(&[SAMPLE, "--from", "23:00", "--strategy", "maker:symbols=ACME"]);
    assert_eq!(report["orders"]["submitted"], 0);
    assert!(report["warnings"].to_string().contains("before the time to begin"));
}

#[test]
fn a_window_without_a_message_is_empty_and_says_so() {
    for window in
        [&["--from", "23:00"][..], &["--until", "00:01"], &["--from", "23:00", "--until", "23:01"]]
    {
        let info = run([&["info", SAMPLE, "--json"], window].concat());
        assert!(info.stderr.contains("no message is in the window"), "{}", info.all());
        let told = info.json();
        assert_eq!((&told["messages"], &told["bytes"]), (&0.into(), &0.into()), "{told:#}");
        assert_eq!((&told["first_ts"], &told["last_ts"]), (&Value::Null, &Value::Null));
        assert_eq!((&told["by_type"], &told["top"]), (&json!({}), &json!([])), "{told:#}");
        assert_eq!(told["complete"], false);
        let dump = run([&["dump", SAMPLE], window].concat());
        assert_eq!((dump.code, dump.stdout.as_str()), (0, ""));
        assert!(dump.stderr.contains("no message is in the window"), "{}", dump.all());
    }
    let report = replay(&[SAMPLE, "--until", "00:01"]);
    assert!(report["warnings"].to_string().contains("no message is in the window"), "{report:#}");
    let some = run(["info", SAMPLE, "--from", "12:00"]);
    assert_eq!(some.stderr, "");
}

#[test]
fn a_window_that_ends_before_it_begins_is_refused() {
    let dated = "--date 2020-01-30 --from 17:00Z --until 11:59";
    for command in ["info", "dump", "replay", "export trades", "book --symbol ACME --csv"] {
        for window in ["--from 12:00 --until 11:00", dated] {
            let ran = run_line(&format!("{command} {SAMPLE} {window}"));
            assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{command}\n{}", ran.all());
            assert!(ran.stderr.contains("--from is later than --until"), "{}", ran.all());
        }
    }
    let same = "info --date 2020-01-30 --from 12:00 --until 17:01Z";
    assert_eq!(run_line(&format!("{same} {SAMPLE}")).code, 0);
}

#[test]
fn a_time_in_utc_needs_the_date_and_then_means_the_same() {
    let refused = run(["replay", SAMPLE, "--until", "17:00Z"]);
    assert_eq!(refused.code, 2, "{}", refused.all());
    assert!(refused.stderr.contains("--date"), "{}", refused.stderr);
    let local = replay(&[SAMPLE, "--date", "2020-01-30", "--until", "12:00"]);
    let utc = replay(&[SAMPLE, "--date", "2020-01-30", "--until", "17:00Z"]);
    assert_eq!(local["state_hash"], utc["state_hash"]);
    assert_eq!((&local["feed"]["clock"], messages(&local)), (&"eastern".into(), messages(&utc)));
    let told = run(["book", SAMPLE, "--symbol", "ACME", "--at", "12:00"]).stdout;
    assert!(told.contains(" US Eastern\n"), "{told}");
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[test]
fn an_order_file_is_of_utc_days() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let text = "action,order_id,symbol,side,price,qty,ts\nnew,1,A,buy,10.00,5,09:30:00\n\
                new,2,A,sell,10.00,5,09:31:00\n";
    let orders = write(scratch.path(), "orders.csv", text);
    let report = replay(&[&orders, "--date", "2020-01-30"]);
    assert_eq!(report["feed"]["first_ts"], 1_580_376_600_000_000_000_u64);
    assert_eq!(report["feed"]["clock"], "utc");
    assert_eq!(messages(&replay(&[&orders, "--until", "09:31Z"])), 2, "definition and order");
}

#[test]
fn the_users_instruments_take_the_place_of_the_feeds_and_travel_in_the_journal() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let orders = write(
        folder,
        "orders.csv",
        "action,order_id,symbol,side,type,price,qty\nnew,1,A,sell,limit,10.005,10\n\
         new,2,A,buy,limit,10.005,5\nnew,3,A,buy,limit,10.005,10\nnew,4,A,sell,limit,10.505,10\n\
         new,5,A,buy,market,,10\n",
    );
    let file = write(
        folder,
        "own.toml",
        "[A]\ncurrency = \"EUR\"\nprice-increment = \"0.005\"\nlot = 10\ncollar = \"0.100\"\n",
    );
    let ran = run(["match", &orders, "--instruments", &file]);
    let outcomes: Vec<Vec<&str>> = ran
        .stdout
        .lines()
        .map(|line| line.split(',').collect())
        .filter(|row: &Vec<&str>| {
            row[3] == "rejected" || row[3] == "filled" || row[3] == "cancelled"
        })
        .collect();
    let told: Vec<(&str, &str, &str)> =
        outcomes.iter().map(|row| (row[3], row[4], *row.last().expect("a reason"))).collect();
    assert_eq!(
        told,
        [
            ("rejected", "2", "off_lot"),
            ("filled", "1", ""),
            ("filled", "3", ""),
            ("cancelled", "5", "collar"),
        ],
        "{}",
        ran.all()
    );

    let dir = folder.join("run").display().to_string();
    let first = replay(&[&orders, "--instruments", &file, "--journal", &dir]);
    assert_eq!(first["portfolio"][0]["currency"], "EUR");
    assert_eq!(replay(&[&dir])["hashes"], first["hashes"]);
    let refused = run(["match", &orders]);
    assert_eq!(refused.code, 3, "half a cent is off the tick of an unknown symbol");

    // A recorded feed keeps its own prices and takes the other terms.
    let refused = run(["replay", SAMPLE, "--instruments", &file]);
    assert_eq!(refused.code, 2, "{}", refused.all());
    assert!(refused.stderr.contains("price-increment"), "{}", refused.stderr);
    let euro = write(folder, "euro.toml", "[ACME]\ncurrency = \"EUR\"\n[NOPE]\nlot = 2\n");
    let report = replay(&[SAMPLE, "--instruments", &euro, "--strategy", "maker:symbols=ACME"]);
    assert_eq!(report["portfolio"][0]["currency"], "EUR");
    assert!(report["warnings"].to_string().contains("NOPE is not in the feed"));
    let wrong = write(folder, "wrong.toml", "[ACME]\ntick = 2\n");
    let refused = run(["replay", SAMPLE, "--instruments", &wrong]);
    assert_eq!(refused.code, 2, "{}", refused.all());
    assert!(refused.stderr.contains("line 2: unknown key `tick`"), "{}", refused.stderr);
}

#[test]
fn rows_of_a_book_begin_where_they_are_asked_for() {
    let rows = |rest: &str| {
        let ran = run_line(&format!("book {SAMPLE} --symbol ACME --csv {rest}"));
        assert_eq!(ran.code, 0, "{}", ran.all());
        ran.stdout.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let all = rows("");
    let some = rows("--from 12:00 --until 12:10");
    assert!(!some.is_empty() && some.len() < all.len() / 2);
    let first = all.iter().position(|row| row == &some[0]).expect("a row of the whole");
    assert_eq!(some, all[first..first + some.len()]);
    assert_eq!(run_line(&format!("book {SAMPLE} --symbol ACME --from 12:00")).code, 2);
}

#[test]
fn hours_end_the_day_of_an_order_file_and_let_nothing_in_outside_them() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let orders = write(
        folder,
        "orders.csv",
        "action,order_id,symbol,side,tif,price,qty,ts\n\
         new,1,A,buy,day,10.00,5,09:29:59\n\
         new,2,A,buy,day,10.00,5,09:30:00\n\
         new,3,A,buy,gtc,9.99,5,15:59:59\n\
         time,,,,,,,16:00:00\n\
         new,4,A,sell,day,9.99,5,16:00:01\n\
         cancel,3,A,,,,,16:00:02\n",
    );
    let hours = write(folder, "hours.toml", "[A]\nopen = \"09:30\"\nclose = \"16:00\"\n");
    let ran = run(["match", &orders, "--instruments", &hours]);
    let told: Vec<_> = ran.stdout.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let told: Vec<_> =
        told.iter().map(|row: &Vec<&str>| (row[0], row[3], row[4], row[row.len() - 1])).collect();
    assert_eq!(
        told,
        [
            ("2", "rejected", "1", "not_trading"),
            ("3", "accepted", "2", ""),
            ("4", "accepted", "3", ""),
            ("5", "expired", "2", "end_of_day"),
            ("6", "rejected", "4", "not_trading"),
            ("7", "cancelled", "3", "requested"),
        ],
        "{}",
        ran.all()
    );
    let dir = folder.join("run").display().to_string();
    let first = replay(&[&orders, "--instruments", &hours, "--journal", &dir]);
    assert_eq!(replay(&[&dir])["hashes"], first["hashes"]);
    // The file's times are in UTC, and without a date nobody knows when New York opens.
    let eastern = write(
        folder,
        "eastern.toml",
        "[A]\nopen = \"09:30\"\nclose = \"16:00\"\nzone = \"eastern\"\n",
    );
    for command in ["match", "replay"] {
        let refused = run([command, &orders, "--instruments", &eastern]);
        assert_eq!(refused.code, 2, "{}", refused.all());
        let what = "eastern.toml, line 4: `zone` of [A]: the feed's times are UTC without a date";
        assert!(refused.stderr.contains(what), "{}", refused.stderr);
    }
    let dated = replay(&[&orders, "--instruments", &eastern, "--date", "2020-01-30"]);
    // 9:30 to 16:00 in New York is 14:30 to 21:00 in UTC: the third and the fourth come in, and
    // trade, so that there is nothing to cancel.
    let counts = [&dated["orders"]["accepted"], &dated["orders"]["rejected"], &dated["fills"]];
    assert_eq!(counts, [2, 3, 2]);
}

#[test]
fn a_strategy_rests_outside_the_hours_of_its_instrument() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let fills = folder.join("fills.csv").display().to_string();
    let hours = write(folder, "hours.toml", "[ACME]\nopen = \"10:00\"\nclose = \"11:00\"\n");
    let maker = [SAMPLE, "--strategy", "maker:symbols=ACME", "--audit"];
    let all = replay(&maker);
    let some = replay(&[&maker[..], &["--instruments", &hours, "--fills-out", &fills]].concat());
    assert!(some["fills"].as_u64() < all["fills"].as_u64(), "{some}");
    assert!(some["fills"].as_u64() > Some(0), "{some}");
    // Every fill lies in the hours, in ns after midnight.
    let text = fs::read_to_string(&fills).expect("fills");
    let header: Vec<&str> = text.lines().next().expect("a header").split(',').collect();
    let column = header.iter().position(|name| *name == "ts_event").expect("a time");
    for line in text.lines().skip(1) {
        let ts = line.split(',').nth(column).expect("a time");
        let ts: u64 = ts.parse().expect("a number");
        assert!((36_000_000_000_000..39_600_000_000_000).contains(&ts), "{line}");
    }
    // Its clock is the feed's, and a date makes the same of it.
    let dated = [&maker[..], &["--instruments", &hours, "--date", "2020-01-30"]].concat();
    assert_eq!(replay(&dated)["fills"], some["fills"]);
    let zone = "[ACME]\nopen = \"15:00\"\nclose = \"16:00\"\nzone = \"utc\"\n";
    let utc = write(folder, "utc.toml", zone);
    let utc = [&maker[..], &["--instruments", &utc, "--date", "2020-01-30"]].concat();
    assert_eq!(replay(&utc)["state_hash"], replay(&dated)["state_hash"]);
}

#[test]
fn hours_in_another_clock_need_times_with_a_date_and_take_those_of_any_feed() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let hours = |name: &str, zone: &str| {
        let text = format!("[A]\nopen = \"09:30\"\nclose = \"16:00\"\nzone = \"{zone}\"\n");
        write(folder, name, &text)
    };
    let (eastern, utc) = (hours("eastern.toml", "eastern"), hours("utc.toml", "utc"));
    let header = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n";
    let row = "x,A,1580394600000000,1580394600000000,true,bid,10,1\n";
    let dated = write(folder, "dated.csv", &format!("{header}{row}"));
    let rows = "36000.5,1,7,10,5000000,1\n";
    let [one, two] = ["A_1.csv", "A_2.csv"].map(|name| write(folder, name, rows));
    let days = ["--date", "2024-08-07,2024-08-08"];
    let from = ["--from", "14:00Z"];
    // A feed with dates of its own, and one of several dates: each as a file, and as the journal of
    // its run.
    for (feed, own, name) in [
        (&[&*dated][..], &eastern, "dated"),
        (&[&*one, &*two, days[0], days[1], from[0], from[1]][..], &utc, "days"),
    ] {
        let dir = folder.join(name).display().to_string();
        let first = replay(&[feed, &["--instruments", own, "--journal", &dir]].concat());
        let again = replay(&[&dir]);
        assert_eq!(again["state_hash"], first["state_hash"], "{name}");
        let given = replay(&[&dir, "--instruments", own]);
        assert_eq!(given["state_hash"], first["state_hash"], "{name}");
    }
    // Without a date nobody knows; what to do differs for a journal, whose date is settled.
    let dir = folder.join("undated").display().to_string();
    replay(&[&one, "--journal", &dir]);
    for (feed, cure) in [(&one, "--date, or give the hours"), (&dir, "record the feed again with")]
    {
        let refused = run(["replay", feed, "--instruments", &utc]);
        assert_eq!(refused.code, 2, "{}", refused.all());
        let what =
            "utc.toml, line 4: `zone` of [A]: the feed's times are US Eastern without a date";
        assert!(refused.stderr.contains(what), "{}", refused.stderr);
        assert!(refused.stderr.contains(cure), "{}", refused.stderr);
    }
}

#[test]
fn ticks_that_no_price_can_lie_on_are_refused_with_file_line_and_value() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let orders =
        write(folder, "orders.csv", "action,order_id,symbol,side,price,qty\nnew,1,A,buy,10,5\n");
    let own = "[ACME]\nlot = 1\n[A]\nlot = 1\nticks = { \"0\" = \"0.005\" }\n";
    let own = write(folder, "own.toml", own);
    for line in [
        format!("match {orders} --instruments {own}"),
        format!("replay {orders} --instruments {own}"),
        format!("venue {orders} --instruments {own} --listen 127.0.0.1:0 --journal {orders}.venue"),
    ] {
        let refused = run_line(&line);
        assert_eq!(refused.code, 2, "{line}: {}", refused.all());
        let what = "own.toml, line 5: the tick 0.005 of [A] is no multiple of 0.01";
        assert!(refused.stderr.contains(what), "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains("multiples of 0.01"), "{}", refused.stderr);
    }
    let fine = "[ACME.ticks]\n\"0\" = \"0.00005\"\n";
    let fine = write(folder, "fine.toml", fine);
    for line in [
        format!("replay {SAMPLE} --instruments {fine} --strategy maker:symbols=ACME"),
        format!(
            "venue {SAMPLE} --instruments {fine} --listen 127.0.0.1:0 --journal {orders}.venue"
        ),
    ] {
        let refused = run_line(&line);
        assert_eq!(refused.code, 2, "{line}: {}", refused.all());
        let what = "fine.toml, line 1: the tick 0.00005 of [ACME] is no multiple of 0.0001";
        assert!(refused.stderr.contains(what), "{line}: {}", refused.stderr);
    }
    // A price is held to the feed's grid like a tick.
    for (key, name) in
        [("max-price", "highest price"), ("collar", "collar"), ("previous-close", "previous close")]
    {
        let off = write(folder, "off.toml", &format!("[ACME]\nlot = 1\n{key} = \"9.00005\"\n"));
        let refused = run(["replay", SAMPLE, "--instruments", &off]);
        assert_eq!(refused.code, 2, "{key}: {}", refused.all());
        let what = format!("off.toml, line 3: the {name} 9.00005 of [ACME] is no multiple of");
        assert!(refused.stderr.contains(&what), "{}", refused.stderr);
    }
    // What is wrong with a value of its own is told with its line too.
    let lot = write(folder, "lot.toml", "[X]\nlot = 1\n\n[ACME]\nmax-qty = 9\nlot = 0\n");
    let refused = run(["replay", SAMPLE, "--instruments", &lot]);
    assert!(refused.stderr.contains("lot.toml, line 6: `lot` of [ACME]"), "{}", refused.stderr);
}

#[test]
fn fees_of_an_instrument_are_refused_where_nothing_is_charged() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let orders =
        write(folder, "orders.csv", "action,order_id,symbol,side,price,qty\nnew,1,A,buy,10,5\n");
    let own = write(folder, "own.toml", "[ACME]\nfees = \"maker=0.0010/share\"\n");
    for (line, why) in [
        (format!("match {orders} --instruments {own}"), "nothing is charged in an order file"),
        (format!("replay {orders} --instruments {own}"), "nothing is charged in an order file"),
        (format!("replay {SAMPLE} --instruments {own}"), "there is no strategy to be charged"),
        (
            format!("venue {orders} --instruments {own} --listen 127.0.0.1:0 --journal {orders}.v"),
            "a venue charges nothing",
        ),
    ] {
        let refused = run_line(&line);
        assert_eq!(refused.code, 2, "{line}: {}", refused.all());
        let what = format!("own.toml, line 2: `fees` of [ACME]: they do nothing: {why}");
        assert!(refused.stderr.contains(&what), "{line}: {}", refused.stderr);
    }
    // A sweep charges them as a replay does.
    let maker = format!("{SAMPLE} --strategy maker:symbols=ACME --instruments {own}");
    let swept = run_line(&format!("replay {maker} --sweep lots=1"));
    let fees = replay(&maker.split(' ').collect::<Vec<_>>())["accounts"][0]["fees"].clone();
    let fees = fees.as_str().expect("a decimal").to_owned();
    assert_ne!(fees, "0.00");
    assert!(swept.stdout.contains(&format!(",{fees},")), "{fees}: {}", swept.stdout);
}
