//! A Slurm of one node, started by a test in a folder of its own, with ports and keys of its own. No accounting.

use pddflow_tests::Place;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// One at a time: they share the cores.
static ONE: Mutex<()> = Mutex::new(());

pub(crate) struct Slurm {
    folder: TempDir,
    _one: MutexGuard<'static, ()>,
}

fn has(program: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status().unwrap().success()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn sh(text: &str) -> String {
    let output = Command::new("sh").args(["-c", text]).stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Slurm {
    /// Starts one; none, with a visible line, where it is not installed or cannot be started by this user.
    pub(crate) fn start() -> Option<Self> {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let missing: Vec<&str> =
            ["slurmctld", "slurmd", "munged", "sbatch", "squeue"].into_iter().filter(|name| !has(name)).collect();
        if !missing.is_empty() {
            println!("SKIP: Slurm is not installed ({}): apt-get install slurm-wlm munge", missing.join(", "));
            return None;
        }
        if sh("id -u").trim() != "0" {
            println!("SKIP: a Slurm of its own needs root");
            return None;
        }
        let folder = TempDir::new().unwrap();
        fs_err::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let slurm = Self { folder, _one: one };
        slurm.configure();
        let root = slurm.folder.path().display().to_string();
        let key = format!("{root}/munge.key");
        fs_err::write(&key, sh("head -c 32 /dev/urandom | sha512sum")).unwrap();
        fs_err::set_permissions(&key, std::fs::Permissions::from_mode(0o400)).unwrap();
        sh(&format!(
            "munged --force --socket={root}/munge.socket --key-file={key} --pid-file={root}/munged.pid \
             --log-file={root}/munged.log --seed-file={root}/munged.seed"
        ));
        slurm.start_controller();
        slurm.tool("slurmd", &[]);
        slurm.wait("an idle node", || slurm.tool("sinfo", &["-h", "-o", "%T"]).trim() == "idle");
        Some(slurm)
    }

    fn configure(&self) {
        let root = self.folder.path().display();
        let host = sh("hostname -s").trim().to_owned();
        let (controller, node) = (free_port(), free_port());
        for name in ["state", "spool"] {
            fs_err::create_dir(self.folder.path().join(name)).unwrap();
        }
        let text = format!(
            "ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root\nAuthType=auth/munge\n\
             AuthInfo=socket={root}/munge.socket\nCredType=cred/munge\nSlurmctldPort={controller}\nSlurmdPort={node}\n\
             StateSaveLocation={root}/state\nSlurmdSpoolDir={root}/spool\nSlurmctldPidFile={root}/slurmctld.pid\n\
             SlurmdPidFile={root}/slurmd.pid\nSlurmctldLogFile={root}/slurmctld.log\nSlurmdLogFile={root}/slurmd.log\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSelectType=select/cons_tres\n\
             SelectTypeParameters=CR_Core\nSchedulerType=sched/backfill\nReturnToService=2\nMpiDefault=none\n\
             PreemptType=preempt/partition_prio\nPreemptMode=CANCEL\n\
             SlurmdParameters=config_overrides\nKillWait=5\nSchedulerParameters=sched_interval=2,bf_interval=2\n\
             NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 State=UNKNOWN\n\
             PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP\n\
             PartitionName=short Nodes={host} MaxTime=1 State=UP\n\
             PartitionName=urgent Nodes={host} PriorityTier=10 State=UP\n"
        );
        fs_err::write(self.folder.path().join("slurm.conf"), text).unwrap();
    }

    pub(crate) fn start_controller(&self) {
        self.tool("slurmctld", &[]);
        self.wait("the controller", || !self.tool("sinfo", &["-h"]).trim().is_empty());
    }

    /// Ends the controller: from now on nobody answers.
    pub(crate) fn stop_controller(&self) {
        self.kill("slurmctld.pid");
    }

    fn kill(&self, pid_file: &str) {
        let Ok(pid) = fs_err::read_to_string(self.folder.path().join(pid_file)) else { return };
        let pid = pid.trim();
        sh(&format!(
            "kill {pid}; for i in $(seq 50); do kill -0 {pid} 2>/dev/null || exit 0; sleep 0.1; done; kill -9 {pid}"
        ));
    }

    #[track_caller]
    fn wait(&self, what: &str, ready: impl Fn() -> bool) {
        let limit = Instant::now() + Duration::from_secs(60);
        while !ready() {
            let log = fs_err::read_to_string(self.folder.path().join("slurmctld.log")).unwrap_or_default();
            assert!(Instant::now() < limit, "Slurm: {what} did not come in a minute:\n{log}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn conf(&self) -> String {
        self.folder.path().join("slurm.conf").display().to_string()
    }

    /// A program of this Slurm; what it prints.
    pub(crate) fn tool(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(name);
        command.args(arguments).env("SLURM_CONF", self.conf()).stdin(Stdio::null());
        let output = command.stderr(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A call of pddflow that uses it. Submissions and polls that succeed are counted.
    pub(crate) fn command(&self, place: &Place, arguments: &[&str]) -> Command {
        let bin = place.path("bin");
        if !bin.exists() {
            fs_err::create_dir(&bin).unwrap();
            for name in ["sbatch", "squeue"] {
                let (real, noted) = (sh(&format!("command -v {name}")), place.path(format!("{name}.calls")));
                let text = format!(
                    "#!/bin/sh\nout=$({} \"$@\") || exit\necho \"$@\" >> {}\necho \"$out\"\n",
                    real.trim(),
                    noted.display()
                );
                fs_err::write(bin.join(name), text).unwrap();
                fs_err::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        let mut command = place.command(arguments);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", bin.display())).env("SLURM_CONF", self.conf());
        command
    }

    /// How many tasks were submitted.
    pub(crate) fn submitted(&self, place: &Place) -> usize {
        let text = calls(place, "sbatch");
        let words = text.split_whitespace().filter_map(|word| word.strip_prefix("--array="));
        words.flat_map(|array| array.split(',')).map(tasks).sum()
    }
}

/// The arguments of the calls of a program, one a line.
pub(crate) fn calls(place: &Place, program: &str) -> String {
    fs_err::read_to_string(place.path(format!("{program}.calls"))).unwrap_or_default()
}

/// How many numbers `3` or `1-4` are.
fn tasks(range: &str) -> usize {
    match range.split_once('-') {
        Some((first, last)) => last.parse::<usize>().unwrap() + 1 - first.parse::<usize>().unwrap(),
        None => 1,
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        self.tool("scancel", &["--user=root"]);
        for pid_file in ["slurmd.pid", "slurmctld.pid", "munged.pid"] {
            self.kill(pid_file);
        }
    }
}
