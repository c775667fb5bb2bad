//! schemathesis: requests made up from the gateway's own description, and answers compared with it.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::checks::Checks;
use super::program::Program;
use super::web::Web;
use super::{Availability, Peer, python};
use crate::{process, project};

/// A version that was looked at.
const VERSION: &str = "4.32.5";
const STORE: &str = "python";

pub(crate) struct Schemathesis;

impl Peer for Schemathesis {
    fn name(&self) -> &'static str {
        "schemathesis"
    }

    fn obtain(&self) -> Result<Availability> {
        python::module(STORE, "schemathesis", VERSION)
    }

    fn check(&self, program: &Program, checks: &mut Checks) -> Result<()> {
        let web = Web::start(program, &[], &[])?;
        let gateway = web.gateway();
        let mut run = process::command(python::store(STORE).join("bin/schemathesis"));
        run.arg("run").arg(format!("{gateway}openapi.json")).args(["--url", &gateway, "--no-color"]);
        run.args(["--max-examples", "50", "--seed", "7", "--checks", "all"]);
        // Whom a gateway may dial, and which fields go together, is not in the description.
        run.args(["--exclude-checks", "positive_data_acceptance"]);
        let hooks = project::root().join("xtask/interop/schemathesis");
        run.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", hooks).env("PYTHONDONTWRITEBYTECODE", "1");
        run.env("LMTP_PORT", web.server_port().to_string()).current_dir(web.directory());
        let finished = process::finish_within(&mut run, Duration::from_secs(120))?;
        checks.check("all answers are those that are described", || {
            ensure!(finished.status.success(), "{}\n{}{}", finished.status, finished.stdout, finished.stderr);
            Ok(())
        });
        checks.check("messages were sent", || {
            ensure!(web.count("good")? > 0, "nobody has got one: {}", finished.stdout);
            Ok(())
        });
        checks.check("stopping leaves no process", || web.stop());
        Ok(())
    }
}
