//! `ringtape match` over the worked order files in `tests/orders`, each with the executions beside it
//! that the rules ask for; and over files that are wrong.
//!
//! Would catch a matcher that trades otherwise than the examples say, a column that changes its
//! meaning, and a fault in a file that is not named with its line and column.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use ringtape::error::Error;
use ringtape::feed::orders::OrderFeed;

use crate::common::program::{Ran, finish, ringtape, run};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/orders")
}

/// The worked order files, by name.
fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the folder of examples").flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| !path.to_string_lossy().ends_with(".expected.csv"));
    files.sort();
    files
}

/// The flags that a file's first line asks for: `# flags: --priority cme`.
fn flags(text: &str) -> Vec<&str> {
    let first = text.lines().next().unwrap_or("");
    first.strip_prefix("# flags: ").unwrap_or("").split_whitespace().collect()
}

/// `ringtape match` with `text` on stdin.
fn match_text(text: &str, flags: &[&str]) -> Ran {
    let mut command = ringtape(["match", "-"].iter().chain(flags));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    Ran {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

#[test]
fn every_worked_file_gives_the_executions_written_beside_it() {
    assert!(examples().len() >= 15, "examples are missing");
    for path in examples() {
        let text = fs::read_to_string(&path).expect("an order file");
        let ran = match_text(&text, &flags(&text));
        assert_eq!(ran.code, 0, "{}: {}", path.display(), ran.all());
        let expected = path.with_extension("expected.csv");
        let expected = fs::read_to_string(expected).expect("its executions");
        let expected: Vec<_> = expected.lines().filter(|line| !line.starts_with('#')).collect();
        let found: Vec<_> = ran.stdout.lines().collect();
        assert_eq!(found, expected, "{}", path.display());
    }
}

#[test]
fn the_final_book_is_written_by_place_in_the_queue_and_never_over_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (orders, book) = (folder.path().join("orders.csv"), folder.path().join("book.csv"));
    let text = "action,order_id,account,symbol,side,price,qty,display_qty,flags\n\
        new,1,7,ACME,sell,10.01,50,,hidden\n\
        new,2,8,ACME,sell,10.01,300,100,\n\
        new,3,8,ACME,sell,10.01,20,,\n\
        new,4,9,ACME,sell,10.00,10,,\n\
        new,5,9,ACME,buy,9.99,10,,\n\
        new,6,9,ACME,buy,9.98,10,,\n\
        new,7,9,\"A,B\",buy,1,10,,\n\
        new,8,6,ACME,buy,10.01,30,,\n";
    fs::write(&orders, text).expect("a file");
    let line = |more: &[&str]| {
        let (orders, book) = (orders.to_string_lossy(), book.to_string_lossy());
        let words = ["match", &orders, "--book-out", &book];
        run(words.iter().chain(more))
    };
    assert_eq!(line(&[]).code, 0);
    let expected = "symbol,side,price,position,order_id,open_qty,displayed_qty,account\n\
        ACME,buy,9.99,1,5,10,10,9\n\
        ACME,buy,9.98,1,6,10,10,9\n\
        ACME,sell,10.01,1,2,280,80,8\n\
        ACME,sell,10.01,2,3,20,20,8\n\
        ACME,sell,10.01,3,1,50,0,7\n\
        \"A,B\",buy,1.00,1,7,10,10,9\n";
    assert_eq!(fs::read_to_string(&book).expect("the book"), expected);
    let again = line(&[]);
    assert_eq!(again.code, 2, "{}", again.all());
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    assert!(again.stdout.is_empty(), "{}", again.stdout);
    assert_eq!(line(&["--force"]).code, 0);

    let orders = orders.to_string_lossy();
    let folder = folder.path().to_string_lossy();
    for (book, told) in [
        (&*orders, "is an input"),
        (&*folder, "is a directory"),
        (&format!("{folder}/none/book.csv"), "there is no directory"),
        ("-", "`-` is no name"),
    ] {
        let ran = run(["match", &*orders, "--book-out", book, "--force"]);
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{}", ran.all());
        assert!(ran.stderr.contains(told), "{told}: {}", ran.all());
    }
    assert_eq!(fs::read_to_string(&*orders).expect("the orders"), text);
}

#[test]
fn one_json_document_holds_the_same_executions_and_the_counts() {
    let text = "action,order_id,side,price,qty\nnew,1,sell,10.05,300\nnew,2,buy,10.05,100\n\
        new,2,buy,0,100\nnew,3,buy,0,100\n";
    let json = match_text(text, &["--json"]).json();
    assert_eq!(json["schema"], 1);
    assert_eq!((&json["accepted"], &json["matches"]), (&2.into(), &1.into()));
    assert_eq!(json["rejects"]["bad_price"], 2, "order 2 is dead and its number free");
    let fill = &json["executions"][2];
    assert_eq!((&fill["event"], &fill["price"]), (&"filled".into(), &"10.05".into()));
    assert_eq!(
        (&fill["line"], &fill["qty"], &fill["order_id"]),
        (&3.into(), &100.into(), &1.into())
    );
    assert!(fill["reason"].is_null());
}

#[test]
fn a_capacity_that_is_reached_is_a_counted_reject() {
    let text = "action,order_id,side,price,qty\nnew,1,sell,10.05,300\nnew,2,sell,10.05,100\n";
    let ran = match_text(text, &["--capacity", "1"]);
    assert!(ran.stdout.ends_with(",capacity\n"), "{}", ran.all());
    assert!(ran.stderr.contains("1 capacity"), "{}", ran.all());
}

#[test]
fn what_comes_before_a_fault_is_told_and_no_book_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let book = folder.path().join("book.csv");
    let text = "action,order_id,side,price,qty\nnew,1,sell,10.05,300\nnew,2,sell,10.055,100\n";
    let ran = match_text(text, &["--book-out", &book.to_string_lossy()]);
    assert_eq!(ran.code, 3, "{}", ran.all());
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert_eq!(
        ran.stderr,
        "ringtape: stdin, line 3, column 4 (price): 10.055 is off the tick: prices are multiples \
         of 0.01\n"
    );
    assert!(!book.exists());
}

#[test]
fn refused_commands_print_no_data() {
    for (line, code) in [
        ("match no-such-file.csv", 2),
        ("match tests/orders/iceberg.csv --priority lifo", 2),
        ("match tests/orders/iceberg.csv --allocation equal", 2),
        ("match tests/orders/iceberg.csv --capacity 0", 2),
        ("match README.md", 3),
        ("match tests", 2),
    ] {
        let ran = finish(&mut ringtape(line.split(' ')));
        assert_eq!(ran.code, code, "{line}: {}", ran.all());
        assert!(ran.stdout.is_empty(), "{line}: {}", ran.stdout);
    }
}

/// The fault of a file, without its name.
fn fault(text: &str) -> String {
    let read = || -> Result<(), Error> {
        let mut feed = OrderFeed::from_bytes("f", text.to_owned(), &Default::default())?;
        while feed.next_row(&mut Vec::new())?.is_some() {}
        Ok(())
    };
    let error = read().expect_err(text);
    assert_eq!(error.exit_code(), 3);
    error.to_string().trim_start_matches("f, ").to_owned()
}

#[test]
fn a_wrong_header_is_named() {
    for (text, expected) in [
        ("", "line 1, column 1: there is no header"),
        ("# nothing\n\n", "line 1, column 1: there is no header"),
        ("acton,qty\n", "line 1, column 1: unknown column `acton`: did you mean `action`?"),
        (
            "# c\naction,quantity\n",
            "line 2, column 2: unknown column `quantity`: use one of action",
        ),
        ("action,prize\n", "line 1, column 2: unknown column `prize`: did you mean `price`?"),
        ("order_id,qty\n", "line 1, column 3: there is no column `action`"),
        ("action,qty,qty\n", "line 1, column 3: the column `qty` is there twice"),
        ("action,\"qty\n", "line 1, column 2: a quote is not closed"),
    ] {
        assert!(fault(text).starts_with(expected), "{text:?}: {}", fault(text));
    }
}

#[test]
fn a_wrong_row_is_named_with_line_and_column() {
    const HEADER: &str = "action,order_id,side,type,tif,price,qty,flags,stp,ts,symbol";
    for (row, expected) in [
        ("buy,1,,,,,,,,,", "column 1 (action): `buy` is no action: use one of new"),
        ("canel,1,,,,,,,,,", "column 1 (action): `canel` is no action: did you mean `cancel`?"),
        (",1,,,,,,,,,", "column 1 (action): the row has no action"),
        ("new,,buy,,,1,1,,,,", "column 2 (order_id): `new` needs order_id"),
        ("new,0,buy,,,1,1,,,,", "column 2 (order_id): an order has no number 0"),
        ("new,-1,buy,,,1,1,,,,", "column 2 (order_id): `-1` is no order_id"),
        ("new,18446744073709551616,buy,,,1,1,,,,", "column 2 (order_id): `18446744073709551616`"),
        ("new,1,,,,1,1,,,,", "column 3 (side): `new` needs side"),
        ("new,1,bye,,,1,1,,,,", "column 3 (side): `bye` is no side: did you mean `buy`?"),
        (
            "new,1,buy,limits,,1,1,,,,",
            "column 4 (type): `limits` is no type: did you mean `limit`?",
        ),
        ("new,1,buy,,gtx,1,1,,,,", "column 5 (tif): `gtx` is no tif: did you mean `gtc`?"),
        ("new,1,buy,,,1.005,1,,,,", "column 6 (price): 1.005 is off the tick"),
        ("new,1,buy,,,1e3,1,,,,", "column 6 (price): `1e3` is no price"),
        ("new,1,buy,,,99999999999999999999,1,,,,", "column 6 (price): 99999999999999999999 is too"),
        ("new,1,buy,,,1,,,,,", "column 7 (qty): `new` needs qty"),
        ("new,1,buy,,,1,1.5,,,,", "column 7 (qty): `1.5` is no qty"),
        ("reduce,1,,,,,,,,,", "column 7 (qty): `reduce` needs qty"),
        ("new,1,buy,,,1,1,hiden,,,", "column 8 (flags): `hiden` is no flag: did you mean `hidden`"),
        ("new,1,buy,,,1,1,,old,,", "column 9 (stp): `old` is no stp"),
        ("new,1,buy,,,1,1,,,9:60,", "column 10 (ts): `9:60` is no time"),
        ("time,,,,,,,,,4,", "column 10 (ts): 4 goes backwards"),
        ("new,1,buy,,,1,1,,,,*", "column 11 (symbol): an order is of one symbol"),
        ("new,1,buy,,,1,1,,,,A-SYMBOL-OF-25-LETTERS-XX1", "column 11 (symbol): the symbol is too"),
        ("new,1,buy,,,1,1,,,,é", "column 11 (symbol): `é` is no symbol: write it in letters"),
        ("halt,,,,,,,,,,A\tB", "column 11 (symbol): `A\\tB` is no symbol"),
        ("cancel,1,,,,,,,,,*", "column 11 (symbol): an order is of one symbol: name it, or leave"),
        ("auction,,,,day,,,,,,", "column 5 (tif): `day` is no tif: use one of opg, cls"),
        ("new,1,buy,,,1,1,,,,A,B", "column 12: 12 fields, but the header has 11"),
        ("new,1,\"buy\"x,,,1,1,,,,", "column 3: something follows a closing quote"),
    ] {
        let found = fault(&format!("{HEADER}\n\n# five\ntime,,,,,,,,,5,\n{row}\n"));
        let expected = format!("line 5, {expected}");
        assert!(found.starts_with(&expected), "{row}\n{found}\n{expected}");
    }
}

#[test]
fn the_prices_of_an_uncross_are_positive() {
    for (row, expected) in [
        ("uncross,-10,,", "column 2 (ref_price): -10 is not positive: write a price above 0"),
        ("uncross,0.00,,", "column 2 (ref_price): 0.00 is not positive"),
        ("uncross,,-1,", "column 3 (price_from): -1 is not positive"),
        ("uncross,,,0", "column 4 (price_to): 0 is not positive"),
    ] {
        let found = fault(&format!("action,ref_price,price_from,price_to\n{row}\n"));
        assert!(found.starts_with(&format!("line 2, {expected}")), "{row}: {found}");
    }
}

/// `ringtape match` of an order file with a file of instruments.
fn match_with(rules: &str, text: &str) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let [rules_path, path] =
        ["rules.toml", "orders.csv"].map(|name| folder.path().join(name).display().to_string());
    fs::write(&rules_path, rules).expect("a file");
    fs::write(&path, text).expect("a file");
    run(["match", &path, "--instruments", &rules_path])
}

#[test]
fn a_replacement_is_priced_in_the_ticks_of_its_own_order_or_not_at_all() {
    const HEAD: &str = "action,order_id,symbol,side,price,qty,new_order_id\n\
                        new,1,A,buy,10.05,5,\nnew,1,B,buy,1.00,1,\n";
    const AGREED: &str = "action,order_id,symbol,side,price,qty,new_order_id\n\
                          new,1,A,buy,10.05,5,\nreplace,2,,,,,1\n";
    let told = |head: &str, row: &str| {
        let ran = match_with("[A]\nprice-increment = \"0.05\"\n", &format!("{head}{row}\n"));
        let last =
            if ran.code == 0 { ran.stdout.lines().last() } else { ran.stderr.lines().last() };
        (ran.code, last.unwrap_or_default().to_owned())
    };
    for (head, row, code, expected) in [
        (HEAD, "replace,1,,,10.02,,", 3, "line 4, column 5 (price): the symbols' ticks differ"),
        (HEAD, "replace,1,A,,10.02,,", 3, "line 4, column 5 (price): 10.02 is off the tick"),
        (HEAD, "replace,1,B,,10.02,,", 0, ",rejected,1,0,B,,,0,0,0,,,,,unknown_order"),
        (HEAD, "replace,1,A,,10.10,,", 0, ",replaced,1,0,A,buy,10.10,5,5,0,,,,1,requested"),
        (HEAD, "replace,1,,,,4,", 0, ",replaced,1,0,A,buy,10.05,4,4,0,,,,1,requested"),
        (AGREED, "replace,1,,,10.02,,", 3, "line 4, column 5 (price): 10.02 is off the tick"),
        (AGREED, "replace,1,,,10.10,,", 0, ",replaced,1,0,A,buy,10.10,5,5,0,,,,1,requested"),
    ] {
        let (found, last) = told(head, row);
        assert_eq!(found, code, "{row}: {last}");
        assert!(last.contains(expected), "{row}: {last}");
    }
}

#[test]
fn auctions_belong_to_the_sessions_that_the_hours_make() {
    let text = "action,order_id,account,symbol,side,tif,price,qty,ts\n\
        auction,,,A,,,,,34080000000000\n\
        uncross,,,A,,,,,34200000000000\n\
        new,1,1,A,buy,cls,10.00,5,36000000000000\n\
        new,2,2,A,sell,,10.00,9,36060000000000\n\
        auction,,,A,,,,,57480000000000\n\
        uncross,,,A,,,,,57660000000000\n\
        auction,,,A,,,,,120480000000000\n\
        new,3,1,A,buy,opg,10.00,4,120540000000000\n\
        uncross,,,A,,,,,120600000000000\n\
        auction,,,A,,,,,143880000000000\n\
        uncross,,,A,,,,,144060000000000\n";
    let ran = match_with("[A]\nopen = \"09:30\"\nclose = \"16:00\"\n", text);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let fills = |line: &str| {
        let rows = ran.stdout.lines().filter(|row| row.starts_with(line));
        rows.filter(|row| row.contains(",filled,")).count()
    };
    assert_eq!((fills("7,"), fills("10,")), (2, 2), "{}", ran.stdout);
}

#[test]
fn indicative_results_come_after_the_answer_by_ascending_instrument() {
    let text = "action,order_id,symbol,side,tif,price,qty,expire_ts,stp_group,ts\n\
        auction,,A,,,,,,,\n\
        auction,,B,,,,,,,\n\
        new,1,A,buy,gtd,10.05,5,10,,\n\
        new,2,B,buy,,10.00,7,,1,10\n\
        new,3,A,buy,gtd,10.05,5,20,,\n\
        end_of_day,,B,,,,,,,20\n\
        uncross,,B,,,,,,,\n\
        new,4,B,buy,day,10.00,7,,,\n\
        new,5,A,buy,gtd,10.05,5,30,,\n\
        auction,,B,,,,,,,30\n";
    let ran = match_text(text, &[]);
    let told = |line: &str| -> Vec<String> {
        let rows = ran.stdout.lines().filter(|row| row.starts_with(line));
        let fields = rows.map(|row| row.split(',').collect::<Vec<_>>());
        fields.map(|row| [row[3], row[4], row[6], row[16]].join(" ")).collect()
    };
    let first = ["expired 1 A expired", "accepted 2 B ", "status  A indicative"];
    assert_eq!(told("5,"), [&first[..], &["status  B indicative"]].concat(), "{}", ran.stdout);
    let last = ["expired 5 A expired", "status  B auction", "status  A indicative"];
    assert_eq!(told("11,"), [&last[..], &["status  B indicative"]].concat(), "{}", ran.stdout);
}

#[test]
fn a_column_that_the_file_has_not_is_named_as_missing() {
    let found = fault("action,order_id,price\nnew,1,1\n");
    assert!(found.starts_with("line 2, column `side`, which the file has not"), "{found}");
}

#[test]
fn windows_line_ends_a_byte_order_mark_and_spaces_do_no_harm() {
    let text = "\u{feff}action, order_id ,side,price,qty\r\nnew, 1 , buy ,10.5, 3\r\n\r\n";
    let ran = match_text(text, &[]);
    assert!(ran.stdout.ends_with("2,0,1,accepted,1,0,,buy,10.50,3,3,0,,,,,\n"), "{}", ran.all());
}

#[test]
fn ticks_and_self_trade_groups_of_an_instrument_hold_and_near_misses_are_named_with_their_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let [path, orders_path] =
        ["rules.toml", "orders.csv"].map(|name| folder.path().join(name).display().to_string());
    let with = |rules: &str| {
        fs::write(&path, rules).expect("a file");
        let orders = "action,order_id,account,symbol,side,type,tif,price,qty,stp\n\
                      new,1,1,ACME,buy,limit,gtc,10.02,100,none\n\
                      new,2,1,ACME,buy,limit,gtc,9.99,100,none\n\
                      new,3,1,ACME,buy,limit,gtc,10.05,100,none\n\
                      new,4,2,ACME,sell,limit,gtc,10.05,100,newest\n\
                      new,5,2,OTHR,buy,limit,gtc,10.02,100,none\n";
        fs::write(&orders_path, orders).expect("a file");
        run(["match", &orders_path, "--instruments", &path])
    };
    let ran = with("[ACME]\nstp-group = 7\nticks = { \"0\" = \"0.01\", \"10\" = \"0.05\" }\n");
    assert_eq!(ran.code, 0, "{}", ran.all());
    let of_line = |line: usize| -> Vec<&str> {
        let first = format!("{line},");
        ran.stdout.lines().filter(|row| row.starts_with(&first)).collect()
    };
    for (line, event, reason) in [
        (2, ",rejected,1,", ",off_tick"),
        (3, ",accepted,2,", ","),
        (4, ",accepted,3,", ","),
        (5, ",cancelled,4,", ",self_trade"),
        (6, ",accepted,5,", ","),
    ] {
        let rows = of_line(line);
        let told = rows.iter().any(|row| row.contains(event) && row.ends_with(reason));
        assert!(told, "line {line}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains(",filled,"), "{}", ran.stdout);
    for (rules, told) in [
        ("[ACME]\nlot = 10\ntiks = 1\n", "line 3: unknown key `tiks`"),
        ("[ACME]\nlot = 10\ntiks = 1\n", "did you mean `ticks`?"),
        ("[ACME]\nfees = \"maker=1\"\n", "`fees` of [ACME]: fee `1` has no unit"),
        ("[ACME.ticks]\n\"0\" = \"0.001\"\n\"5\" = \"0\"\n", "`ticks` of [ACME]"),
    ] {
        let ran = with(rules);
        assert_eq!(ran.code, 2, "{}", ran.all());
        assert!(ran.stderr.contains(told), "{rules}: {}", ran.stderr);
    }
}
