use super::*;
use alloc::string::ToString;
use alloc::vec;
use proptest::prelude::*;

const KERNELS: &str = "primary_kernel=/boot/a failover_kernel=/boot/b";

fn parse(rest: &str) -> Result<Options, String> {
    Options::parse(&format!("{KERNELS} {rest}")).map_err(|refusal| refusal.to_string())
}

fn refused(rest: &str) -> String {
    parse(rest).unwrap_err()
}

#[test]
fn defaults_hold_for_what_is_not_given() {
    let options = parse("").unwrap();
    assert_eq!(options.primary_kernel, "/boot/a");
    assert_eq!(options.failover_kernel, "/boot/b");
    assert_eq!(options.failover_cpus.to_string(), "0");
    assert_eq!(options.failover_mem.to_string(), "64M");
    assert_eq!(options.keepalive_ns, 1_000_000);
    if option_env!("FAILOVER_TIMEOUT_MS").is_none() {
        assert_eq!(options.failover_timeout_ns, 10_000_000);
    }
    assert_eq!(options.failover_boot_timeout_ns, 5_000_000_000);
    assert_eq!(options.failover_rearm, Rearm::Manual);
    assert_eq!(options.journal_bytes, 32 << 20);
    assert_eq!(options.service.to_string(), "redis:6379");
    assert_eq!(options.status_port, Some(80));
    assert_eq!(options.network, NetworkConfig::default());
    assert_eq!((options.debug, options.apic), (false, ApicMode::Auto));
    assert_eq!(options.exec, []);
    assert_eq!(options.as_given("journal_mem"), "32M (the default)");
}

#[test]
fn a_password_is_taken_and_never_shown() {
    let options =
        parse("requirepass=\"open sesame\" protected-mode=no status_clients=all").unwrap();
    let password = options.password.as_ref().map(Secret::reveal);
    assert_eq!(
        (password, options.is_protected),
        (Some("open sesame"), false)
    );
    assert_eq!(options.status_clients, StatusClients::All);
    assert_eq!(options.as_given("requirepass"), "***");
    let shown = format!("{options:?}");
    assert!(!shown.contains("sesame"), "{shown}");
    for typo in [
        "requirepas=sesame",
        "require_pass=sesame",
        "requirepasss=sesame",
    ] {
        let refusal = refused(typo);
        assert!(
            refusal.contains("requirepass=") && !refusal.contains("sesame"),
            "{refusal}"
        );
    }
    assert_eq!(
        refused("protected-mode=maybe"),
        "protected_mode=maybe: there is no such choice; yes or no would work"
    );
    let options = parse("").unwrap();
    assert_eq!((options.password, options.is_protected), (None, true));
    assert_eq!(options.status_clients, StatusClients::Near);
    assert!(options.network.is_near([10, 0, 2, 2].into()));
    assert!(!options.network.is_near([10, 0, 3, 2].into()));
}

#[test]
fn everything_can_be_given() {
    let options = parse(
        "BOOT_IMAGE=/boot/understudy failover_cpus=0,3 failover_mem=128M@0x8000000 keepalive=500us failover_timeout=50 \
         failover_boot_timeout=30s failover_rearm=auto journal_mem=1G service=redis:7000 status_port=8080 \
         ip=192.168.1.5::192.168.1.1:255.255.255.0 \
         debug=1 apic=xapic exec=\"100ms DEBUG POPULATE 1000; 900ms DEBUG PANIC\"",
    )
    .unwrap();
    assert_eq!(options.failover_cpus.to_string(), "0,3");
    assert_eq!(options.failover_mem.address, Some(0x800_0000));
    assert_eq!(options.keepalive_ns, 500_000);
    assert_eq!(options.failover_timeout_ns, 50_000_000);
    assert_eq!(options.failover_boot_timeout_ns, 30_000_000_000);
    assert_eq!(options.failover_rearm, Rearm::Auto);
    assert_eq!(options.journal_bytes, 1 << 30);
    assert_eq!(options.service, Service::Redis { port: 7000 });
    assert_eq!(options.status_port, Some(8080));
    assert_eq!(options.network.client.to_string(), "192.168.1.5");
    assert_eq!((options.debug, options.apic), (true, ApicMode::Xapic));
    assert_eq!(options.exec[1].at_ns, 900_000_000);
    assert_eq!(options.exec[1].command, "DEBUG PANIC");
}

#[test]
fn linux_habits() {
    let options = parse("journal_mem=junk failover-mem=1M journal_mem=2M \"debug=1\"").unwrap();
    assert_eq!(options.journal_bytes, 2 << 20);
    assert_eq!(options.failover_mem.size_bytes, 1 << 20);
    assert!(options.debug);
    assert_eq!(options.as_given("journal_mem"), "2M");
}

#[test]
fn what_is_missing_or_unknown_is_named() {
    let missing = |line| Options::parse(line).unwrap_err().to_string();
    assert_eq!(
        missing("failover_kernel=/b"),
        "primary_kernel: is missing; primary_kernel=PATH would work"
    );
    assert_eq!(
        missing("primary_kernel=/a"),
        "failover_kernel: is missing; failover_kernel=PATH would work"
    );
    assert_eq!(
        refused("failover_cpu=1"),
        "failover_cpu=1: there is no such option; failover_cpus= would work"
    );
    assert_eq!(
        refused("quiet"),
        "quiet: there is no such option, the nearest is pmem=; to leave it out would work"
    );
    assert_eq!(
        refused("keepalive"),
        "keepalive: needs a value; keepalive=DURATION would work"
    );
    assert_eq!(refused("keepalive="), refused("keepalive"));
    assert!(refused("=5").contains("no such option"));
}

#[test]
fn values_that_cannot_be_are_refused() {
    assert_eq!(
        refused("journal_mem=12Q"),
        "journal_mem=12Q: `12Q` is not a size: a number, then K, M, G or T; a size like 64M or 0x4000000 would work"
    );
    assert_eq!(
        refused("failover_rearm=maybe"),
        "failover_rearm=maybe: there is no such choice; auto or manual would work"
    );
    for rest in [
        "keepalive=99us",
        "keepalive=1001ms failover_timeout=60s",
        "failover_timeout=60001ms failover_boot_timeout=99s",
        "failover_timeout=0",
        "service=memcached",
        "service=redis:0",
        "service=redis:65536",
        "service=redis:+1",
        "service=redis:",
        "status_port=65536",
        "status_port=+80",
        "status_port=off",
        "debug=2",
        "apic=x3apic",
        "ip=dhcp",
        "exec=5 debug=1",
        "failover_cpus=a",
        "failover_mem=64M@",
        "exec=\"PING",
    ] {
        assert!(parse(rest).is_err(), "{rest}");
    }
    for rest in [
        "keepalive=100us",
        "keepalive=1s failover_timeout=2s",
        "failover_timeout=60s failover_boot_timeout=60s",
        "service=redis",
        "service=redis:65535",
    ] {
        assert!(parse(rest).is_ok(), "{rest}");
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    assert_eq!(
        refused("keepalive=1ms failover_timeout=1999us"),
        "failover_timeout=1999us: a failover_timeout of 1999us is shorter than two keepalives of 1ms; at least 2ms \
         would work"
    );
    assert!(refused("keepalive=1s").starts_with("keepalive=1s: "));
    assert_eq!(
        refused("failover_timeout=6s"),
        "failover_boot_timeout=5s (the default): shorter than the failover_timeout of 6s; at least 6s would work"
    );
    assert_eq!(
        refused("exec=PING"),
        "exec=PING: runs with debug=1 only; debug=1 with it would work"
    );
}

#[test]
fn the_status_page_has_a_port_of_its_own_or_none() {
    for rest in ["status_port=none", "status_port=0", "status-port=none"] {
        assert_eq!(parse(rest).unwrap().status_port, None, "{rest}");
    }
    assert_eq!(
        refused("status_port=http"),
        "status_port=http: `http` is not a TCP port, 1 to 65535; 80, or none would work"
    );
    assert_eq!(
        refused("status_port=6379"),
        "status_port=6379: port 6379 is that of the service (redis:6379); 80, or none would work"
    );
    assert_eq!(
        refused("service=redis:80"),
        "status_port=80 (the default): port 80 is that of the service (redis:80); 8080, or none would work"
    );
    assert!(parse("service=redis:80 status_port=none").is_ok());
}

#[test]
fn the_table_explains_every_option() {
    let help = Help.to_string();
    assert_eq!(help.lines().count(), OPTIONS.len() + 1);
    for (line, spec) in help.lines().skip(1).zip(OPTIONS) {
        assert!(line.starts_with(spec.name) && line.ends_with(spec.help));
        assert!(line.contains(spec.syntax));
    }
}

/// Makes command lines of pieces that mean something, so that more than the first check is met.
fn a_line() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(
        OPTIONS
            .iter()
            .map(|spec| spec.name)
            .chain(["", "x", "BOOT_IMAGE"])
            .collect::<Vec<_>>(),
    );
    let value = prop_oneof![
        proptest::sample::select(vec![
            "0",
            "1",
            "64M",
            "1ms",
            "2s",
            "auto",
            "\"a b\"",
            "\"",
            "redis:1",
            "0-3",
            "60s",
            "99999999999999999999",
        ])
        .prop_map(String::from),
        "\\PC{0,8}",
    ];
    proptest::collection::vec((name, value), 0..8).prop_map(|words| {
        let words: Vec<String> = words.iter().map(|(n, v)| format!("{n}={v}")).collect();
        format!("{KERNELS} {}", words.join(" "))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_line_gets_an_answer_on_one_line(line in prop_oneof![a_line(), any::<String>()]) {
        match Options::parse(&line) {
            Ok(options) => {
                prop_assert!(options.failover_timeout_ns >= 2 * options.keepalive_ns);
                prop_assert!(options.failover_boot_timeout_ns >= options.failover_timeout_ns);
                prop_assert!(options.exec.is_empty() || options.debug);
            }
            Err(refusal) => prop_assert_eq!(refusal.to_string().lines().count(), 1),
        }
    }

    /// Checks that a refused time-out comes with one that is taken.
    #[test]
    fn the_time_out_that_would_work_works(
        keepalive_us in 100u64..1_000_000, timeout_us in proptest::option::of(1u64..60_000_000),
    ) {
        let mut given = vec![("keepalive", format!("{keepalive_us}us"))];
        given.extend(timeout_us.map(|us| ("failover_timeout", format!("{us}us"))));
        for _ in 0..4 {
            let line = given.iter().map(|(name, value)| format!("{name}={value} ")).collect::<String>();
            let Err(refusal) = Options::parse(&format!("{KERNELS} {line}")) else { return Ok(()) };
            let value = refusal.would_work.rsplit(' ').next().unwrap().to_string();
            let name = OPTIONS.iter().find(|spec| spec.name == refusal.option).unwrap().name;
            given.retain(|(other, _)| *other != name);
            given.push((name, value));
        }
        prop_assert!(false, "refused again and again: {given:?}");
    }
}
