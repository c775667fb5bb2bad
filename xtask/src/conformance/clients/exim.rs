//! Exim: its SMTP transport with `protocol = lmtp`. Nothing of it runs but while it delivers.

use std::fs;

use anyhow::{Context as _, Result};

use super::super::theirs::script;
use super::super::{Running, Target};
use super::quoted;
use crate::interop::exim::{self, PACKAGE, UID};
use crate::interop::program::Program;
use crate::interop::{Availability, Peer as _, place, python, unpacked};

pub(in super::super) struct Exim;

impl Target for Exim {
    fn name(&self) -> &'static str {
        "exim"
    }

    fn title(&self) -> &'static str {
        "Exim"
    }

    fn obtain(&self) -> Result<Availability> {
        if let missing @ Availability::Missing(_) = python::Python.obtain()? {
            return Ok(missing);
        }
        exim::Exim.obtain()
    }

    fn version(&self, _: &Program) -> Result<String> {
        PACKAGE.upstream_version()
    }

    fn start(&self, _: &Program) -> Result<Running> {
        let directory = place::directory()?;
        let path = |name: &str| directory.path().join(name);
        PACKAGE.unpack(&path("package"))?;
        fs::create_dir(path("errand"))?;
        unpacked::make_etc(&path("etc"), &[("Debian-exim", UID)])?;
        fs::create_dir_all(path("etc/exim4"))?;
        // It asks there whether it may trust a configuration.
        fs::write(path("etc/exim4/trusted_configs"), format!("{}\n", path("errand/exim.conf").display()))?;
        let words = ["package/usr/sbin/exim4", "etc", "errand"].map(|name| quoted(&path(name))).join(" ");
        let script = quoted(&script("exim_send.py"));
        let template = format!("python3 -B {script} {words} {UID} {{port}} {{timeout}} {{from}} {{file}} {{to*}}");
        Ok(Running::client(&template, || directory.close().context("the work directory cannot be removed")))
    }
}
