//! What a process used so far, from `/proc`. Elsewhere than on Linux all of it
//! reads as zero.

use std::fs;

/// Length of a kernel clock tick as user space sees it, whatever the kernel's own.
const TICK_MS: u64 = 10;

/// CPU time and the most memory that a process held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time in milliseconds.
    pub cpu_ms: u64,
    /// Peak resident memory in KiB.
    pub peak_rss_kib: u64,
}

/// Reads a process by its id.
pub fn of(pid: u32) -> Option<Usage> {
    Some(Usage {
        cpu_ms: cpu_ms(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?,
        peak_rss_kib: fs::read_to_string(format!("/proc/{pid}/status"))
            .ok()
            .and_then(|status| peak_rss_kib(&status))
            .unwrap_or(0),
    })
}

fn cpu_ms(stat: &str) -> Option<u64> {
    // The second field is the program's name in brackets and may hold anything.
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * TICK_MS)
}

fn peak_rss_kib(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 12 30 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_ms(stat), Some(420));
    }

    #[test]
    fn the_peak_is_the_high_water_mark() {
        assert_eq!(
            peak_rss_kib("VmPeak:\t 9 kB\nVmHWM:\t    8124 kB\n"),
            Some(8124)
        );
        assert_eq!(peak_rss_kib(""), None);
    }

    #[test]
    fn this_process_can_be_read() {
        assert!(of(std::process::id()).unwrap().peak_rss_kib > 0);
    }
}
