#!/bin/bash
# Holds both readings of search queries, the gateway's and the sandbox's, to Lucene's own parser. What is missing is installed,
# on Debian and as root. QUERIES and SEED are how many queries, and which.
set -euo pipefail
cd "$(dirname "$0")/../.."

jars=/usr/share/java
need=()
command -v javac >/dev/null || need+=(default-jdk-headless)
[ -e $jars/lucene-queryparser.jar ] || compgen -G "$jars/lucene-queryparser-8*.jar" >/dev/null || need+=(liblucene8-java)
if [ ${#need[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        echo "missing: install ${need[*]} (names of Debian packages)" >&2
        exit 1
    fi
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${need[@]}" >/dev/null
fi

classes=${CARGO_TARGET_DIR:-target}/lucene
mkdir -p "$classes"
classpath=$(printf '%s:' $jars/lucene-{core,queryparser,queries,sandbox,analyzers-common}-8*.jar)$classes
javac -Xlint:all -Werror -d "$classes" -cp "$classpath" tests/lucene/Clauses.java
seed=${SEED:-$RANDOM$RANDOM}
echo "SEED=$seed"
cargo test --features fuzzing --test lucene -- "$classpath" "${QUERIES:-100000}" "$seed"
