//! A cluster of several primaries, of which one has all keys of a tenant.

use auth0_graphql::shared_state::{self, Deployment, RedisUrl};

use super::redis::{RedisServer, free_port};
use super::{Fleet, PATIENT};
use crate::gateway::Setup;

/// Slots of each of the three primaries, the first and the last.
const SLOTS: [&str; 3] = ["0 5460", "5461 10921", "10922 16383"];

struct Cluster {
    nodes: Vec<RedisServer>,
    test: &'static str,
}

impl Cluster {
    /// Starts three primaries, and waits until they are a cluster.
    fn start(test: &'static str) -> Option<Self> {
        let nodes = (0..SLOTS.len()).map(|index| node(&format!("{test}-{index}")));
        let cluster = Self { nodes: nodes.collect::<Option<_>>()?, test };
        for (node, slots) in cluster.nodes.iter().zip(SLOTS) {
            assert_eq!(node.command(&format!("CLUSTER ADDSLOTSRANGE {slots}")), ["+OK"]);
            cluster.meet(node);
        }
        cluster.until_sound();
        Some(cluster)
    }

    /// Has a node know all others.
    fn meet(&self, node: &RedisServer) {
        let bus = node.command("CONFIG GET cluster-port")[4].clone();
        let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port);
        assert_eq!(self.nodes[0].command(&meet), ["+OK"]);
    }

    fn until_sound(&self) {
        for node in &self.nodes {
            node.until("CLUSTER INFO", &format!("cluster_known_nodes:{}", self.nodes.len()));
            node.until("CLUSTER INFO", "cluster_state:ok");
        }
    }

    /// The node that has the keys of a tenant.
    fn owner(&self, tenant: &str) -> usize {
        let slot = self.nodes[0].command(&format!("CLUSTER KEYSLOT {{{tenant}}}"))[0].clone();
        let slot: u32 = slot.trim_start_matches(':').parse().unwrap();
        SLOTS.iter().position(|slots| slot <= slots.split(' ').nth(1).unwrap().parse().unwrap()).unwrap()
    }

    /// Adds a node that takes the place of another if that is lost.
    fn add_replica_of(&mut self, index: usize) -> usize {
        let replica = node(&format!("{}-replica", self.test)).unwrap();
        self.meet(&replica);
        self.nodes.push(replica);
        self.until_sound();
        let (primary, replica) = (&self.nodes[index], self.nodes.last().unwrap());
        let id = primary.command("CLUSTER MYID")[1].clone();
        replica.until(&format!("CLUSTER REPLICATE {id}"), "+OK");
        replica.until("INFO replication", "master_link_status:up");
        self.nodes.len() - 1
    }

    fn url(&self, credentials: &str, nodes: &[usize]) -> RedisUrl {
        let hosts: Vec<_> = nodes.iter().map(|index| format!("127.0.0.1:{}", self.nodes[*index].port)).collect();
        RedisUrl::parse(&format!("redis://{credentials}@{}", hosts.join(","))).unwrap()
    }
}

fn node(name: &str) -> Option<RedisServer> {
    RedisServer::start_with(name, |_| {
        let port = free_port().to_string();
        ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", &port]
            .into_iter()
            .chain(["--cluster-replica-validity-factor", "0"])
            .map(str::to_owned)
            .collect()
    })
}

#[tokio::test]
async fn replicas_share_through_the_node_of_a_cluster_that_has_the_tenants_keys() {
    let Some(mut cluster) = Cluster::start("cluster") else { return };
    let credentials: Vec<_> = cluster.nodes.iter().map(RedisServer::add_user).collect();
    let credentials = &credentials[0];
    let all = cluster.url(credentials, &[0, 1, 2]);
    let mut fleet = Fleet::sharing_at(all.clone(), PATIENT, Setup::default().sandbox).await;
    let tenant = fleet.sandbox.url();
    let owner = cluster.owner(&tenant);
    // One address is enough, and whichever it is.
    let another = cluster.url(credentials, &[(owner + 1) % 3]);
    fleet.must_share([&all, &another]).await;
    for (index, node) in cluster.nodes.iter().enumerate() {
        assert_eq!(node.keys().is_empty(), index != owner, "{index}");
    }
    let survey = shared_state::survey(&another, &tenant).await.unwrap();
    assert_eq!((survey.deployment, survey.is_writable), (Deployment::Cluster, true));
    assert_eq!((survey.addresses, survey.silent_addresses), (1, 0));

    // Another takes its place.
    fleet.settings.http.rate_limit = None;
    fleet.start_sharing(1).await;
    let replica = cluster.add_replica_of(owner);
    cluster.nodes[replica].add_user();
    cluster.nodes[owner].kill();
    fleet.until_kept_in(&cluster.nodes[replica], 2).await;
    let survey = shared_state::survey(&all, &tenant).await.unwrap();
    assert_eq!((survey.addresses, survey.silent_addresses, survey.is_writable), (3, 1, true));
}
