//! `health`: a container's question to the gateway in it.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};

use super::running::value;
use super::{End, Run};

fn ask(folder: &str, arguments: &[&str], host: &str, port: &str) -> End {
    Run::new(folder, &[&["health"], arguments].concat()).env("HOST", host).env("PORT", port).end()
}

#[test]
fn a_gateway_that_serves_is_well_wherever_it_listens() {
    for (host, argument) in [("127.0.0.1", None), ("0.0.0.0", Some("--ready")), ("::1", None)] {
        let folder = format!("health_{}", host.replace(':', "_"));
        let arguments = ["serve", "--sandbox", "--port", "0", "--host", host, "--allow-anonymous", "yes"];
        let mut gateway = Run::new(&format!("{folder}_gateway"), &arguments).start();
        let printed = gateway.printed_until("Ctrl-C");
        let port = value(&printed, "GraphQL").trim_end_matches("/graphql").rsplit_once(':').unwrap().1;
        let end = ask(&folder, argument.as_slice(), host, port);
        assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:#?}");
        let path = if argument.is_some() { "/readyz" } else { "/livez" };
        assert_eq!(end.stdout, format!("{path} answers 200: ok\n"));
    }
}

#[test]
fn a_gateway_with_an_admin_address_is_asked_there() {
    let arguments = ["serve", "--sandbox", "--port", "0", "--admin-address", "127.0.0.1:0"];
    let mut gateway = Run::new("health_admin_gateway", &arguments).start();
    let log = BufReader::new(gateway.child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line =
        log.take_while(|line| !line.contains("listening address")).find(|line| line.contains("metrics and health"));
    let line = line.unwrap();
    let (_, address) = line.split_once("address=").unwrap();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port().to_string();
    // Nobody answers at the other one; and whatever that speaks, this has no TLS.
    for certificate in [&[][..], &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]] {
        let arguments = [&["health", "--port", &free, "--admin-address", address][..], certificate].concat();
        let end = Run::new("health_admin", &arguments).end();
        assert_eq!((end.code, end.stdout.as_str()), (Some(0), "/livez answers 200: ok\n"), "{end:#?}");
    }
    Run::new("health_admin_wrong", &["health", "--admin-address", "9090"]).end().must_be_usage(&["ADMIN_ADDRESS must"]);
}

#[test]
fn a_gateway_that_stops_is_alive_and_not_ready() {
    let arguments = ["serve", "--sandbox", "--port", "0", "--shutdown-delay", "60s"];
    let mut gateway = Run::new("health_stopping_gateway", &arguments).start();
    let printed = gateway.printed_until("Ctrl-C");
    let port = value(&printed, "GraphQL").trim_end_matches("/graphql").rsplit_once(':').unwrap().1;
    gateway.signal("TERM");
    let mut end = ask("health_stopping", &["--ready"], "localhost", port);
    while end.code == Some(0) {
        end = ask("health_stopping", &["--ready"], "localhost", port);
    }
    assert_eq!((end.code, end.stdout.as_str()), (Some(1), "/readyz answers 503: stopping\n"), "{end:#?}");
    assert_eq!(ask("health_stopping", &[], "localhost", port).code, Some(0));
}

#[test]
fn where_nothing_listens_nothing_is_well() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port().to_string();
    let end = ask("health_nothing", &[], "127.0.0.1", &free);
    assert_eq!((end.code, end.stdout.as_str()), (Some(69), ""), "{end:#?}");
    assert!(end.stderr.contains(&format!("no gateway answers at http://127.0.0.1:{free}")), "{end:#?}");
    ask("health_wrong", &[], "127.0.0.1", "http").must_be_usage(&["One setting", "PORT must"]);
}
