//! Machines with networks of their own: namespaces, which only root can make. This machine's own network stays as it is.

use std::fs::File;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::process::Command;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::tools;

/// Each network is a bridge on it.
const SWITCH: &str = "switch";

/// A machine, its number and its networks: `10.77.NETWORK.NUMBER`.
pub type Machine = (&'static str, u8, &'static [u8]);

/// Gone at the end.
pub struct Machines {
    name: String,
    made: Vec<&'static str>,
}

impl Machines {
    /// None where they cannot be made.
    pub fn start(name: &str, all: &[Machine]) -> Option<Machines> {
        tools::find("ip")?;
        let name = format!("licenses-{}-{name}", std::process::id());
        let mut machines = Machines { name, made: vec![] };
        if let Err(why) = machines.add(SWITCH) {
            tools::leave_out(&format!("there are no network namespaces: {why}"));
            return None;
        }
        for (machine, number, networks) in all {
            machines.add(machine).unwrap();
            for network in *networks {
                machines.connect(machine, *network, *number);
            }
        }
        Some(machines)
    }

    fn add(&mut self, machine: &'static str) -> Result<(), String> {
        ip(&format!("netns add {}", self.of(machine)))?;
        self.made.push(machine);
        ip(&format!("-n {} link set lo up", self.of(machine)))
    }

    fn connect(&self, machine: &str, network: u8, number: u8) {
        let (switch, machine_name) = (self.of(SWITCH), self.of(machine));
        // There already, except for the first machine.
        drop(ip(&format!(
            "-n {switch} link add net{network} type bridge"
        )));
        for words in [
            format!("-n {switch} link set net{network} up"),
            format!(
                "-n {switch} link add {machine}-{network} type veth peer name eth{network} netns {machine_name}"
            ),
            format!("-n {switch} link set {machine}-{network} master net{network} up"),
            format!("-n {machine_name} addr add 10.77.{network}.{number}/24 dev eth{network}"),
            format!("-n {machine_name} link set eth{network} up"),
        ] {
            ip(&words).unwrap();
        }
    }

    fn of(&self, machine: &str) -> String {
        format!("{}-{machine}", self.name)
    }

    /// From now on everybody may have any of these addresses there.
    pub fn has_all(&self, machine: &str, addresses: &str) {
        let route = format!("-n {} route add local {addresses} dev lo", self.of(machine));
        ip(&route).unwrap();
    }

    /// Takes a machine off a network. What it sends gets lost, and nothing says so.
    pub fn cut(&self, machine: &str, network: u8) {
        let port = format!("{machine}-{network}");
        ip(&format!("-n {} link set {port} nomaster", self.of(SWITCH))).unwrap();
    }

    pub fn restore(&self, machine: &str, network: u8) {
        let (port, bridge) = (format!("{machine}-{network}"), format!("net{network}"));
        let words = format!("-n {} link set {port} master {bridge}", self.of(SWITCH));
        ip(&words).unwrap();
    }

    /// Puts this thread, and what it starts, on the machine.
    pub fn enter(&self, machine: &str) {
        let namespace = File::open(format!("/run/netns/{}", self.of(machine))).unwrap();
        let network = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), network).unwrap();
    }

    /// Does that on the machine.
    pub fn on<T: Send>(&self, machine: &str, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let there = || {
                self.enter(machine);
                work()
            };
            let done = scope.spawn(there).join();
            done.unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for machine in &self.made {
            drop(ip(&format!("netns del {}", self.of(machine))));
        }
    }
}

fn ip(words: &str) -> Result<(), String> {
    let done = Command::new("ip").args(words.split(' ')).output().unwrap();
    match done.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
    }
}
