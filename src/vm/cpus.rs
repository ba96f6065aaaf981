//! Where the CPUs of a machine are that says nothing more.

use std::fmt;

/// `IF` of the flags: interrupts are taken (Intel's manual, volume 1, 3.4.3).
const INTERRUPTS: u64 = 1 << 9;

/// Where one CPU is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// The address of its next instruction.
    pub at: u64,
    /// It executes user space.
    pub is_user: bool,
    /// It waits for an interrupt.
    pub is_halted: bool,
    /// It takes interrupts.
    pub takes_interrupts: bool,
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.is_user {
            "user space"
        } else {
            "the kernel"
        };
        let does = if self.is_halted { "halted" } else { "running" };
        let with = if self.takes_interrupts { "on" } else { "off" };
        write!(f, "{does} at {:#x} in {place}, interrupts {with}", self.at)
    }
}

/// Reads what QEMU prints for `info registers -a`; CPUs in their order.
#[must_use]
pub fn read(registers: &str) -> Vec<Cpu> {
    registers.lines().filter_map(cpu).collect()
}

/// `RIP=ffffffff81e0b5cb RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1`.
fn cpu(line: &str) -> Option<Cpu> {
    let field = |name: &str| {
        let mut words = line.split_whitespace();
        let word = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
        u64::from_str_radix(word, 16).ok()
    };
    Some(Cpu {
        at: field("RIP").or_else(|| field("EIP"))?,
        is_user: field("CPL")? == 3,
        is_halted: field("HLT")? == 1,
        takes_interrupts: field("RFL").or_else(|| field("EFL"))? & INTERRUPTS != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_cpu_that_waits_for_an_interrupt_is_halted() {
        let text = "\r\nCPU#0\r\nRAX=0000000000000001 RBX=ffff88800\r\n\
            RIP=ffffffff81e0b5cb RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n";
        let told: Vec<_> = read(text).iter().map(ToString::to_string).collect();
        let wanted = "halted at 0xffffffff81e0b5cb in the kernel, interrupts on";
        assert_eq!(told, [wanted]);
    }

    #[test]
    fn each_cpu_is_told_of() {
        let text = "CPU#0\nRIP=0000000000401000 RFL=00000206 [-----P-] CPL=3 II=0 A20=1 SMM=0 HLT=0\n\
            CPU#1\nEIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n";
        let told: Vec<_> = read(text).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "running at 0x401000 in user space, interrupts on",
                "running at 0xfff0 in the kernel, interrupts off"
            ]
        );
    }

    #[test]
    fn what_is_no_register_is_nothing() {
        assert_eq!(read("unknown command: 'info'"), []);
    }
}
