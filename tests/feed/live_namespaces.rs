//! A live feed between two hosts: network namespaces with a cable between them.
//!
//! Would catch a feed that works on the loopback only: groups joined on the wrong interface, a
//! sender that leaves by another, requests and answers that find no way.
#![cfg(all(feature = "cli", target_os = "linux"))]

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::common::program::run;

const GROUPS: &str = "udp://239.77.9.1:26477?b=239.77.9.2:26477&request=10.77.0.1:26478";

/// Two hosts with a cable between them, 10.77.0.1 and 10.77.0.2; gone when dropped.
struct Hosts([String; 2]);

impl Hosts {
    /// `None`, and a word about it, where namespaces may not be made.
    fn new() -> Option<Self> {
        let names = ["a", "b"].map(|end| format!("ringtape-{}-{end}", std::process::id()));
        let hosts = Self(names);
        let [a, b] = &hosts.0;
        let made = ip(&format!("netns add {a}"))
            && ip(&format!("netns add {b}"))
            && ip(&format!("link add cable netns {a} type veth peer name cable netns {b}"))
            && [(a, 1), (b, 2)].into_iter().all(|(host, number)| {
                ip(&format!("-n {host} addr add 10.77.0.{number}/24 dev cable"))
                    && ip(&format!("-n {host} link set lo up"))
                    && ip(&format!("-n {host} link set cable up"))
            });
        if !made {
            eprintln!("skipped: no network namespaces may be made here");
        }
        made.then_some(hosts)
    }

    /// Starts `ringtape` on a host.
    fn start(&self, host: usize, arguments: &[&str]) -> Child {
        Command::new("ip")
            .args(["netns", "exec", &self.0[host], env!("CARGO_BIN_EXE_ringtape")])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.0.iter().for_each(|host| {
            ip(&format!("netns del {host}"));
        });
    }
}

/// Runs `ip` with the words of `line`; whether it did what it was told.
fn ip(line: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(line.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn session(folder: &Path) -> String {
    let path = folder.join("day.itch").display().to_string();
    let size = ["generate", "--messages", "60k", "--symbols", "12", "--live", "2k"];
    let ran = run([&size[..], &["-o", &path]].concat());
    assert_eq!(ran.code, 0, "{}", ran.all());
    path
}

#[test]
fn a_host_hears_what_another_sends_and_gets_again_what_both_lines_lost() {
    let Some(hosts) = Hosts::new() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let day = session(folder.path());
    let expected = run(["replay", &day, "--json"]).json();
    let at = |number: u8| format!("{GROUPS}&interface=10.77.0.{number}");
    let listener = hosts.start(1, &["replay", &at(2), "--json"]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let bad = ["--rate", "50k", "--loss", "5%", "--reorder", "2%"];
    let sender = hosts.start(0, &[&["convert", &day, &at(1)], &bad[..]].concat());
    let heard = listener.wait_with_output().expect("an end");
    let sent = sender.wait_with_output().expect("an end");
    let told = String::from_utf8_lossy(&sent.stderr);
    assert!(sent.status.success(), "{told}");
    assert!(heard.status.success(), "{}", String::from_utf8_lossy(&heard.stderr));
    let report: Value = serde_json::from_slice(&heard.stdout).expect("a document");
    let feed = &report["feed"];
    assert_eq!(feed["gaps"], 0, "{feed}");
    assert_eq!(feed["messages"], expected["feed"]["messages"], "{told}");
    assert_eq!(report["hashes"]["books"], expected["hashes"]["books"]);
    assert!(feed["packets"]["recovered"].as_u64() > Some(0), "{feed}");
}
