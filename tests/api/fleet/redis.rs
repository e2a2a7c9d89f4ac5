//! A Redis of a test's own, on loopback. `REDIS_SERVER` names another program than `redis-server`, such as Valkey's.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _, stderr};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use auth0_graphql::shared_state::RedisUrl;

pub(crate) const PASSWORD: &str = "made-up-for-this-test";

/// The password of the user that docs/operations.md describes.
const USERS_PASSWORD: &str = "made-up-for-the-user";

const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// Lines of which a server writes one as soon as it takes connections: the second as a sentinel.
const READY: [&str; 2] = ["Ready to accept connections", "Sentinel ID is"];

/// A Redis that ends with the test.
pub(crate) struct RedisServer {
    process: Child,
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Starts one, which keeps nothing on disk. `None`, and a line that says so, where the program is not installed.
    pub(crate) fn start(test: &str) -> Option<Self> {
        Self::start_with(test, |_| Vec::new())
    }

    /// Starts one with the arguments that are needed in its folder, in addition to the usual ones.
    pub(crate) fn start_with(test: &str, arguments: impl Fn(&Path) -> Vec<String>) -> Option<Self> {
        let folder = folder(test);
        loop {
            let port = free_port();
            let mut all: Vec<_> =
                ["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
                    .into_iter()
                    .chain(["--requirepass", PASSWORD, "--masterauth", PASSWORD, "--dir"])
                    .map(str::to_owned)
                    .collect();
            all.push(folder.display().to_string());
            all.extend(arguments(&folder));
            // Another may take a port before Redis does.
            if let Some(process) = launch(&all, test)? {
                return Some(Self { process, port, folder, arguments: all });
            }
        }
    }

    /// Starts a sentinel that has another take a primary's place as soon as it is gone for half a second.
    pub(crate) fn start_sentinel(test: &str, service: &str, primary: &Self) -> Option<Self> {
        let folder = folder(test);
        loop {
            let port = free_port();
            let settings = format!(
                "port {port}\nbind 127.0.0.1\nrequirepass {PASSWORD}\nsentinel monitor {service} 127.0.0.1 {} 1\n\
                 sentinel auth-pass {service} {PASSWORD}\nsentinel down-after-milliseconds {service} 500\n\
                 sentinel failover-timeout {service} 2000\n",
                primary.port
            );
            // It writes there what it learns.
            let file = folder.join("sentinel.conf");
            fs::write(&file, settings).unwrap();
            let arguments = vec![file.display().to_string(), "--sentinel".to_owned()];
            if let Some(process) = launch(&arguments, test)? {
                return Some(Self { process, port, folder, arguments });
            }
        }
    }

    /// The address as a setting has it.
    pub(crate) fn address(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// Adds the user that docs/operations.md describes, and gives back the credentials as they stand in an address.
    pub(crate) fn add_user(&self) -> String {
        let rule = OPERATIONS.split("`ACL SETUSER gateway ").nth(1).unwrap().split('`').next().unwrap();
        let rule = rule.replace(">PASSWORD", &format!(">{USERS_PASSWORD}"));
        assert_eq!(self.command(&format!("ACL SETUSER gateway {rule}")), ["+OK"]);
        format!("gateway:{USERS_PASSWORD}")
    }

    pub(crate) fn url(&self) -> RedisUrl {
        self.url_of(&format!(":{PASSWORD}"))
    }

    pub(crate) fn url_of(&self, credentials: &str) -> RedisUrl {
        RedisUrl::parse(&format!("redis://{credentials}@127.0.0.1:{}", self.port)).unwrap()
    }

    /// Ends it, as a machine does that loses power.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it anew where it was, empty.
    pub(crate) fn restart(&mut self) {
        self.process = loop {
            if let Some(process) = launch(&self.arguments, "restart").unwrap() {
                break process;
            }
        };
    }

    /// Waits until what it says to a command holds a line.
    pub(crate) fn until(&self, command: &str, line: &str) {
        while !self.command(command).iter().any(|said| said == line) {}
    }

    /// Stops it (`STOP`), or has it go on (`CONT`).
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    }

    /// Sends a command of one line, and gives back the lines of its answer that hold something. A server that becomes a primary drops
    /// the connections that it has: then once more.
    pub(crate) fn command(&self, line: &str) -> Vec<String> {
        let text = format!("AUTH {PASSWORD}\r\n{line}\r\nPING the-end\r\nQUIT\r\n");
        loop {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            if stream.write_all(text.as_bytes()).is_err() {
                continue;
            }
            let lines = BufReader::new(stream).split(b'\n').map_while(Result::ok);
            let lines = lines.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned()).skip(1);
            let mut answer = Vec::new();
            // Not to the end of the connection, which a sentinel leaves open.
            for line in lines {
                if line == "the-end" {
                    return answer;
                }
                answer.extend(Some(line).filter(|line| line != "$7"));
            }
        }
    }

    /// Has it answer nothing for so many milliseconds from now on.
    pub(crate) fn pause(&self, milliseconds: u32) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(format!("AUTH {PASSWORD}\r\nCLIENT PAUSE {milliseconds}\r\n").as_bytes()).unwrap();
        let answers: Vec<_> = BufReader::new(stream).lines().map_while(Result::ok).take(2).collect();
        assert_eq!(answers, ["+OK", "+OK"]);
    }

    /// The number of times that it was sent a command, since it started. Those are counted that scripts run.
    pub(crate) fn count(&self, command: &str) -> u64 {
        let name = format!("cmdstat_{command}:calls=");
        let lines = self.command("INFO commandstats");
        let calls = lines.iter().find_map(|line| line.strip_prefix(&name)?.split(',').next()?.parse().ok());
        calls.unwrap_or_default()
    }

    /// The keys that there are, in order.
    pub(crate) fn keys(&self) -> Vec<String> {
        let lines = self.command("KEYS *");
        let mut keys: Vec<_> = lines.into_iter().filter(|line| line.starts_with("auth0-graphql:")).collect();
        keys.sort();
        keys
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An empty folder that no other test has.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("redis-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// The program, by its name or its path.
pub(crate) fn program() -> String {
    named().unwrap_or_else(|| "redis-server".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the tests' own, and no setting of the program")]
fn named() -> Option<String> {
    env::var("REDIS_SERVER").ok()
}

/// Writes that a test is skipped. Not by a macro, whose text is shown of tests that fail alone.
pub(crate) fn skip(test: &str, reason: &str) {
    stderr().write_all(format!("skipped ({test}): {reason}\n").as_bytes()).unwrap();
}

/// Starts it, and waits until it takes connections: `Some(None)` if it ends before. `None`, and a line that says so, without the program.
fn launch(arguments: &[String], test: &str) -> Option<Option<Child>> {
    let program = program();
    let started = Command::new(&program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut process = match started {
        Ok(process) => process,
        Err(error) if error.kind() == ErrorKind::NotFound && named().is_none() => {
            skip(test, "redis-server is not installed");
            return None;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    if lines.any(|line| READY.iter().any(|ready| line.contains(ready))) {
        // Read to its end, or Redis would wait for room in the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        return Some(Some(process));
    }
    process.wait().unwrap();
    Some(None)
}
