//! What the kernel says of processes that are not our children (`/proc`, proc(5)).

use std::fs;

/// Clock ticks from the start of the machine to that of process `pid`; none if there is no such process or it has ended
/// and only waits to be reaped. Together with the boot id this names a process for good, though its id may be reused.
pub(super) fn start_ticks(pid: u32) -> Option<u64> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?).map(|stat| stat.start_ticks)
}

/// The processes that lead a process group and were started with environment variable `name`, with its value.
pub(super) fn leaders_marked(name: &str) -> Vec<(u32, String)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut found: Vec<(u32, String)> = pids
        .filter(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
            stat.and_then(|text| parse_stat(&text)).is_some_and(|stat| stat.group == *pid)
        })
        .filter_map(|pid| Some((pid, marked(&fs::read(format!("/proc/{pid}/environ")).ok()?, name)?)))
        .collect();
    found.sort_unstable();
    found
}

/// Processes of one copy whose memory is summed up at most.
const FAMILY: usize = 256;

/// Resident memory of process `pid` and of all that its main thread and theirs have started, bytes; none if there is no
/// such process or it has ended. What descendants share with others (libraries, shared memory) is left out, so that workers
/// that were forked count what is their own. Two small files a process are read: some ten microseconds.
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    let page = rustix::param::page_size() as u64;
    let pages = |pid: u32| parse_statm(&fs::read_to_string(format!("/proc/{pid}/statm")).ok()?);
    let mut sum = pages(pid)?.resident;
    let mut family = children(pid);
    let mut next = 0;
    while let Some(child) = family.get(next).copied() {
        next += 1;
        sum += pages(child).map_or(0, |p| p.resident.saturating_sub(p.shared));
        if family.len() < FAMILY {
            family.extend(children(child));
        }
    }
    Some(sum.saturating_mul(page))
}

/// What the main thread of process `pid` has started and what still runs; none where the kernel does not tell.
fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Statm {
    resident: u64,
    shared: u64,
}

/// Pages in memory, and those of them that are shared; none of a process that has ended, which has none left.
fn parse_statm(text: &str) -> Option<Statm> {
    let mut fields = text.split_ascii_whitespace().skip(1).map_while(|field| field.parse().ok());
    let (resident, shared) = (fields.next()?, fields.next()?);
    (resident > 0).then_some(Statm { resident, shared })
}

/// What tells this start of the machine from others.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[derive(Debug, PartialEq)]
struct Stat {
    group: u32,
    start_ticks: u64,
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The second field is the program's name in brackets, which may hold brackets and spaces itself.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    let start_ticks = fields.nth(16)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(Stat { group, start_ticks })
}

fn marked(environ: &[u8], name: &str) -> Option<String> {
    let value = environ
        .split(|byte| *byte == 0)
        .find_map(|variable| variable.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")))?;
    String::from_utf8(value.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_odd_names_and_the_dead_are_none() {
        let line = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 10 11 12";
        assert_eq!(parse_stat(line), Some(Stat { group: 42, start_ticks: 987_654 }));
        assert_eq!(parse_stat(&line.replace(" S ", " Z ")), None);
        for text in ["", "42", "42 (a", "42 (a) S 1", "42 (a) S x y"] {
            assert_eq!(parse_stat(text), None, "{text}");
        }
        let own = std::process::id();
        assert!(start_ticks(own).is_some_and(|ticks| ticks > 0));
        assert_eq!(start_ticks(u32::MAX), None);
    }

    #[test]
    fn memory_is_read_in_pages_and_the_dead_have_none() {
        assert_eq!(parse_statm("765 436 407 5 0 123 0\n"), Some(Statm { resident: 436, shared: 407 }));
        for text in ["", "1", "1 2", "1 x 2", "0 0 0 0 0 0 0"] {
            assert_eq!(parse_statm(text), None, "{text}");
        }
        // This test alone takes more than a megabyte, and less than a terabyte.
        let own = resident_bytes(std::process::id()).unwrap();
        assert!((1 << 20..1 << 40).contains(&own), "{own}");
        assert_eq!(resident_bytes(u32::MAX), None);
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let environ = b"A=1\0FORESAIL_COPY_X=no\0FORESAIL_COPY=/a#1#80\0";
        assert_eq!(marked(environ, "FORESAIL_COPY").as_deref(), Some("/a#1#80"));
        assert_eq!(marked(environ, "FORESAIL"), None);
    }
}
