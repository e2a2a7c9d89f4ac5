//! A Redis of a test's own, on loopback.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _, stderr};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use auth0_graphql::shared_state::RedisUrl;

const PASSWORD: &str = "made-up-for-this-test";

/// A Redis that ends with the test.
pub(crate) struct RedisServer {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl RedisServer {
    /// Starts one, which keeps nothing on disk. `None`, and a line that says so, where the program is not installed.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("redis-{test}"));
        fs::create_dir_all(&folder).unwrap();
        loop {
            // Another may take the port before Redis does.
            let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            match launch(port, &folder) {
                Ok(Some(process)) => return Some(Self { process, port, folder }),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    // Not by a macro, whose text is shown of tests that fail alone.
                    let line = format!("skipped ({test}): redis-server is not installed\n");
                    stderr().write_all(line.as_bytes()).unwrap();
                    return None;
                }
                Err(error) => panic!("redis-server: {error}"),
            }
        }
    }

    pub(crate) fn url(&self) -> RedisUrl {
        self.url_of("", PASSWORD)
    }

    /// The address as a setting has it.
    pub(crate) fn address(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    pub(crate) fn url_of(&self, user: &str, password: &str) -> RedisUrl {
        RedisUrl::parse(&format!("redis://{user}:{password}@127.0.0.1:{}", self.port)).unwrap()
    }

    /// Ends it, as a machine does that loses power.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it anew where it was, empty.
    pub(crate) fn restart(&mut self) {
        self.process = loop {
            if let Some(process) = launch(self.port, &self.folder).unwrap() {
                break process;
            }
        };
    }

    /// Stops it (`STOP`), or has it go on (`CONT`).
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    }

    /// Sends a command of one line, and gives back the lines of its answer that hold something.
    pub(crate) fn command(&self, line: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "AUTH {PASSWORD}\r\n{line}\r\nECHO the-end\r\nQUIT\r\n").unwrap();
        let lines = BufReader::new(stream).split(b'\n').map_while(Result::ok);
        let lines = lines.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned());
        lines.skip(1).take_while(|line| line != "$7" && line != "the-end").collect()
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

/// Starts it, and waits until it takes connections. `None` if it ends before.
fn launch(port: u16, folder: &Path) -> std::io::Result<Option<Child>> {
    let mut process = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--requirepass", PASSWORD, "--dir"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    if lines.any(|line| line.contains("Ready to accept connections")) {
        // Read to its end, or Redis would wait for room in the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        return Ok(Some(process));
    }
    process.wait()?;
    Ok(None)
}
