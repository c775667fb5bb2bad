//! What the project does with itself: `cargo xtask COMMAND`.
//!
//! | file | concept |
//! |---|---|
//! | `test.rs` | the stages of `cargo xtask test`, and how much each effort runs |
//! | `stage.rs` | running stages, the table at the end |
//! | `tidy/` | rules that no other tool checks, one file a subject |
//! | `fuzz.rs` | libFuzzer targets on the stable toolchain |
//! | `diagrams/` | pictures of the protocol's tables |
//! | `requirements/` | which test proves which rule |
//! | `bench/` | benchmarks, their targets, instruction counts |
//! | `mutants.rs` | what breaks without a test that notices |
//! | `interop/` | foreign peers: obtained, started, checked, stopped |
//! | `conformance/` | servers and clients of ours and of others in the checks of `lmtp conformance` |
//! | `args.rs`, `cargo.rs`, `process.rs`, `project.rs` | the tools the above share |
//!
//! Every command runs from the project's root, reads nothing from standard input and names
//! nothing outside the project but what it installs or makes in a temporary directory.

mod args;
mod bench;
mod cargo;
mod conformance;
mod diagrams;
mod fuzz;
mod interop;
mod mutants;
mod process;
mod project;
mod requirements;
mod stage;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::args::Args;

const HELP: &str = "\
cargo xtask COMMAND

  test [--effort quick|ci|long] [--strict]   everything that is tested, stage by stage
  tidy                                       the rules that no other tool checks
  fuzz [TARGET] [--seconds N]                libFuzzer on stable (10 s a target unless told otherwise)
  requirements [--check] [--recorded DIR]    which test proves which rule; writes docs/book/src/rfc-map.md
  diagrams [--check]                         the protocol's tables as pictures, in docs/book/src/diagrams
  mutants                                    what can be broken and no test notices (cargo-mutants, an hour)
  bench [SET] [--check] [--runs N]           benchmarks beside what they are measured against; SET: proto, frontends, serve
  interop [PEER] [--strict]                  real foreign peers; an unknown PEER is answered with all names
  conformance [NAME] [--write] [--strict]    servers and clients in the checks of `lmtp conformance`; --write puts what
                                             comes out into docs/book/src/conformance-results.md and …-clients.md

What is missing on this machine is named as skipped; with --strict it is a failure.";

fn main() -> ExitCode {
    let result = if tidy::surface::is_rustdoc() { tidy::surface::be_rustdoc() } else { run(Args::from_env()) };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: Args) -> Result<()> {
    let wants_help = args.flag("--help") | args.flag("-h");
    match args.positional().as_deref() {
        None | Some("help") => println!("{HELP}"),
        Some(_) if wants_help => println!("{HELP}"),
        Some("test") => {
            let options = test::Options::parse(args)?;
            test::run(&options)?;
        }
        Some("tidy") => {
            args.finish()?;
            tidy::run()?;
        }
        Some("fuzz") => {
            let seconds = args.value("--seconds")?;
            let target = args.positional();
            args.finish()?;
            fuzz::run(target.as_deref(), seconds.unwrap_or(10))?;
        }
        Some("requirements") => {
            let recorded = args.value("--recorded")?;
            let check = args.flag("--check");
            args.finish()?;
            requirements::run(recorded, check)?;
        }
        Some("diagrams") => {
            let check = args.flag("--check");
            args.finish()?;
            diagrams::run(check)?;
        }
        Some("mutants") => {
            args.finish()?;
            mutants::run()?;
        }
        Some("bench") => {
            let options = bench::Options { runs: args.value("--runs")?.unwrap_or(3), check: args.flag("--check") };
            let set = args.positional();
            args.finish()?;
            bench::run(set.as_deref(), &options)?;
        }
        Some("interop") => {
            let strict = args.flag("--strict");
            let peer = args.positional();
            args.finish()?;
            interop::run(peer.as_deref(), strict)?;
        }
        Some("conformance") => {
            let (write, strict) = (args.flag("--write"), args.flag("--strict"));
            let name = args.positional();
            args.finish()?;
            conformance::run(name.as_deref(), write, strict)?;
        }
        Some(unknown) => bail!("no command `{unknown}`\n\n{HELP}"),
    }
    Ok(())
}
