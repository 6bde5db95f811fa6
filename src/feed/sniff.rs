//! What a source looks like that is of no format read here, and what to do about it.

/// Why a source is refused: what it looks like and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) what: String,
    pub(crate) cure: String,
}

impl Refusal {
    pub(crate) fn new(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { what: what.into(), cure: cure.into() }
    }
}

/// Names of formats by their first bytes, and what to do with each.
const MAGICS: &[(&[u8], &str, &str)] = &[
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd-compressed data", UNZSTD),
    (&[0xd4, 0xc3, 0xb2, 0xa1], "a pcap capture", CAPTURE),
    (&[0xa1, 0xb2, 0xc3, 0xd4], "a pcap capture", CAPTURE),
    (&[0x4d, 0x3c, 0xb2, 0xa1], "a pcap capture", CAPTURE),
    (&[0xa1, 0xb2, 0x3c, 0x4d], "a pcap capture", CAPTURE),
    (&[0x0a, 0x0d, 0x0d, 0x0a], "a pcapng capture", CAPTURE),
    (b"DBN", "Databento DBN data", "give an ITCH 5.0 recording"),
    (b"PK\x03\x04", "a zip archive", "unpack it and give the file inside"),
    (b"PAR1", "a Parquet file", "export its rows as one of the formats that the README lists"),
    (b"ARROW1", "an Arrow file", "export its rows as one of the formats that the README lists"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "export its rows as one of the formats of the README"),
    (
        b"SQLite format 3\0",
        "an SQLite database",
        "export its rows as one of the formats of the README",
    ),
    (b"BZh", "bzip2-compressed data", "unpack it first, for example with `bunzip2`"),
    (b"\xfd7zXZ\0", "xz-compressed data", "unpack it first, for example with `unxz`"),
];

const UNZSTD: &str = "unpack it first, for example with `unzstd`, or build with feature `zstd`";
const CAPTURE: &str = "open it as a feed of any format, in a build with feature `pcap`";

/// Where a tar archive says that it is one.
const TAR_AT: usize = 257;

/// Bytes from the start that decide whether a source is text.
const TEXT_BYTES: usize = 512;

/// Why a source that starts with `head` is refused, if not for what its format's reader found.
pub(crate) fn refusal(head: &[u8]) -> Option<Refusal> {
    if head.is_empty() {
        return Some(Refusal::new(
            "the source is empty",
            "check how it was made; a feed holds at least one message",
        ));
    }
    let magic = MAGICS.iter().find(|(magic, ..)| head.starts_with(magic));
    if let Some((_, what, cure)) = magic {
        return Some(Refusal::new(format!("this looks like {what}"), *cure));
    }
    if head.get(TAR_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        return Some(Refusal::new(
            "this looks like a tar archive",
            "unpack it, for example with `tar xf`, and give the file inside",
        ));
    }
    let start = &head[..head.len().min(TEXT_BYTES)];
    let is_text = start.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    is_text.then(|| text_refusal(start))
}

fn text_refusal(text: &[u8]) -> Refusal {
    const CURE: &str = "give an ITCH 5.0 recording, plain or gzip";
    let line = text.split(|&b| b == b'\n').next().unwrap_or(text).trim_ascii();
    let columns: Vec<&[u8]> = line.split(|&b| b == b',').collect();
    let is_number = |column: &&[u8]| {
        !column.is_empty() && column.iter().all(|b| b.is_ascii_digit() || b"+-.".contains(b))
    };
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    if matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        Refusal::new(
            "this looks like JSON text of no feed that is read here",
            "of JSON only raw Binance recordings are read, a line each of `<local ns> <json>`",
        )
    } else if columns.len() == 6 && columns.iter().all(is_number) {
        Refusal::new(
            "this looks like a LOBSTER message file (CSV), not ITCH 5.0",
            "open it as a feed of any format, which recognises it",
        )
    } else if columns.len() > 1 {
        Refusal::new(
            "this looks like CSV text with columns of no format that is read here",
            "LOBSTER messages have six columns without a header, Tardis `incremental_book_L2` \
             begins with `exchange`, and an order file names `action`",
        )
    } else if line.len() >= 24 && line.iter().all(is_base64) {
        Refusal::new("this looks like base64 text", "decode it first, for example with `base64 -d`")
    } else {
        Refusal::new("this looks like text, not market data", CURE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stranger_is_named() {
        for (head, name) in [
            (&b""[..], "empty"),
            (b"\x28\xb5\x2f\xfd\0\0", "zstd"),
            (b"\xd4\xc3\xb2\xa1\x02\0\x04\0", "pcap"),
            (b"\x0a\x0d\x0d\x0a\0\0\0\0", "pcapng"),
            (b"DBN\x03\0\0\0\0", "Databento"),
            (b"PK\x03\x04", "zip"),
            (b"34200.004241176,1,16113575,18,5853300,1\n", "LOBSTER"),
            (b"exchange,symbol,timestamp\n", "CSV"),
            (b" {\"lastUpdateId\":1}", "JSON"),
            (b"ACdSAA0AAAo31NDTCUFBUEwgICAgUU4AAABkTkNa", "base64"),
            (b"hello\n", "text"),
        ] {
            let found = refusal(head).expect("a stranger");
            assert!(found.what.contains(name), "{name}: {}", found.what);
        }
        assert_eq!(refusal(b"\x00\x0cS\0\0\0\0"), None);
    }
}
