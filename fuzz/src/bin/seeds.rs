//! Writes good inputs for every target to begin from: `seeds FOLDER`.

use std::fs;
use std::io::Result;
use std::path::Path;
use std::time::Duration;

use foresail_core::{Column, Frame, TimeZone, Timestamp};
use foresail_ingest::{write_csv, write_parquet};

const ANSWER: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
{"metric":{"__name__":"up","pod":"a"},"values":[[1700000000.5,"1"],[1700000060.5,"NaN"],[1700000120.5,"2.5e3"]]},
{"metric":{"__name__":"up","pod":"b"},"values":[[1700000060.5,"4"],[1700000180.5,7]]}]}}"#;

const OTHER_ANSWER: &str = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;

const TEXTS: [&str; 4] = [
    "ts;value;name\n1633478400;1,5;a\n1633478460.25;-2e3;b\n",
    "\"date\"\t\"y\"\n2026-03-01\tNaN\n2026-03-02 10:00:00+0530\t\n",
    "2026-03-01T00:00:00Z,1\n2026-03-01T00:01:00Z,2\n",
    "when,host,n\n1772366400000,\"a\"\"b\",true\n1772366460000,\"c\nd\",null\n",
];

const LOGS: [&str; 3] = [
    "1.2.3.4 - - [01/Mar/2026:13:00:00 +0100] \"GET /a?b HTTP/1.1\" 200 17 \"-\" \"q\\x22uote\" 0.250\n",
    "{\"time\":\"2026-03-01T12:00:00Z\",\"method\":\"GET\",\"target\":\"/a\",\"status\":200,\"total_ms\":5.5}\n",
    "Timestamp,method,path,status,duration_s,bytes\n1772366400,GET,\"/a,b\",200,0.5,17\n1772366400000,GET,/c,200,,\n",
];

const CONNECTIONS: [&str; 6] = [
    "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x01\x02",
    "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nxGET http://a/ HTTP/1.1\n\n",
];

const FORWARDED: [&str; 4] =
    ["6.6.6.6, 1.2.3.4:555\n10.0.0.9", "[2001:db8::1]:80, fd00::2", "\"[::1]\", ::ffff:1.2.3.4", "unknown, 10.0.0.9"];

const TRACEPARENTS: [&str; 2] = [
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more",
];

const CALENDARS: [&str; 3] = [
    "from,to,kind,label,factor,floor\n2026-03-01,2026-03-02,sale,spring,2.5,3\n2026-03-01T18:00:00Z,,deploy,v2,,\n",
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART;TZID=Europe/Berlin:20260301T180000\r\nDURATION:PT2H\r\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,-1FR;COUNT=9\r\nEXDATE:20260315T170000Z\r\nSUMMARY:match\r\nX-FORESAIL-FACTOR:1.5\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:b\nDTSTART;VALUE=DATE:20260101\nDTEND;VALUE=DATE:20260102\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20261231\nSTATUS:CANCELLED\nCATEGORIES:deploy\nBEGIN:VALARM\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n",
];

const CLEARANCES: [&str; 2] = [
    "a=b; foresail_clearance=AQACaaQ6gAAAAAAAAAAAAAAAAAAAAAA\np=AQACDmmkLIAAAAAAAAAABQAAAAAAAAAAAAAAAAAAAAA&n=12345",
    "foresail_clearance=; foresail_clearance=x;foresail_clearance\nn=1&p=",
];

const LOAD_REPORTS: [&str; 3] = ["12.5", "rif=3;lat=12.5;cpu=4.2", " cpu = 0 ; rif = 1000000000"];

fn main() -> Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "corpus".to_owned());
    let save = |target: &str, name: &str, bytes: &[u8]| {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)
    };
    let start = Timestamp::from_secs(1_772_366_400);
    for rows in [2_u32, 40] {
        let columns = vec![
            Column::new("requests", (0..rows).map(|i| (i % 7 != 3).then_some(f64::from(i) * 1.5))),
            Column::new("errors", (0..rows).map(|i| Some(f64::from(i % 2)))),
        ];
        let frame =
            Frame::new(start, Duration::from_secs(60), TimeZone::utc(), columns).map_err(std::io::Error::other)?;
        let mut csv = Vec::new();
        write_csv(&frame, &mut csv).map_err(std::io::Error::other)?;
        save("csv", &format!("frame-{rows}"), &csv)?;
        save("decompress", &format!("plain-{rows}"), &csv)?;
        let path = Path::new(&folder).join("parquet");
        fs::create_dir_all(&path)?;
        write_parquet(&frame, &path.join(format!("frame-{rows}"))).map_err(std::io::Error::other)?;
    }
    for (i, log) in LOGS.iter().enumerate() {
        save("request_log", &format!("log-{i}"), log.as_bytes())?;
    }
    for (i, text) in TEXTS.iter().enumerate() {
        save("csv", &format!("text-{i}"), text.as_bytes())?;
    }
    for (i, text) in CALENDARS.iter().enumerate() {
        save("calendar", &format!("calendar-{i}"), text.as_bytes())?;
    }
    save("prometheus", "matrix", ANSWER.as_bytes())?;
    save("prometheus", "error", OTHER_ANSWER.as_bytes())?;
    for (i, text) in CONNECTIONS.iter().enumerate() {
        save("http_agree", &format!("connection-{i}"), text.as_bytes())?;
        // The first byte is how long the pieces are.
        save("http_scan", &format!("connection-{i}"), &[&[7], text.as_bytes()].concat())?;
    }
    for (i, text) in FORWARDED.iter().enumerate() {
        save("forwarded", &format!("list-{i}"), text.as_bytes())?;
    }
    for (i, text) in TRACEPARENTS.iter().enumerate() {
        save("traceparent", &format!("trace-{i}"), text.as_bytes())?;
    }
    for (i, text) in CLEARANCES.iter().enumerate() {
        save("clearance", &format!("cookie-{i}"), text.as_bytes())?;
    }
    for (i, text) in LOAD_REPORTS.iter().enumerate() {
        save("load_report", &format!("load-{i}"), text.as_bytes())?;
    }
    // No source, a destination, then what follows the signature of a proxied connection over IPv4.
    let local =
        [&[0, 0, 127, 0, 0, 1, 0, 80][..], &[0x21, 0x11, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 0, 80, 1, 187]].concat();
    save("proxy_header", "local", &local)?;
    // "ts,v\n1,2\n61,3\n" as a gzip member and a zstd frame, both stored without compression.
    let text = b"ts,v\n1,2\n61,3\n";
    let size = text.len() as u8;
    let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1, size, 0, !size, 255][..], text, &GZIP_TRAILER].concat();
    save("decompress", "gzip", &gzip)?;
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, size, 1 | (size << 3), 0, 0][..], text].concat();
    save("decompress", "zstd", &zstd)
}

/// CRC-32 and length of the stored text, least significant byte first.
const GZIP_TRAILER: [u8; 8] = [0x0e, 0x1e, 0x23, 0x73, 14, 0, 0, 0];
