//! Running other programs: echoed, without standard input, with errors that name the command.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::project;

/// A command that starts in the project's root and reads nothing.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(project::root()).stdin(Stdio::null());
    command
}

/// Says what is run, runs it with its output streamed, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", line(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    ensure!(status.success(), "`{}` failed: {status}", line(command));
    Ok(())
}

/// Like [`run`], with only those lines of its standard error that `shown` wants.
pub(crate) fn run_filtered(command: &mut Command, mut shown: impl FnMut(&str) -> bool) -> Result<()> {
    println!("$ {}", line(command));
    let mut child = command.stderr(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let stderr = child.stderr.take().context("standard error is piped")?;
    for said in BufReader::new(stderr).split(b'\n') {
        let said = String::from_utf8_lossy(&said?).into_owned();
        if shown(&said) {
            eprintln!("{said}");
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "`{}` failed: {status}", line(command));
    Ok(())
}

/// What the command prints on standard output; what it prints on standard error is in the error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", line(command), output.status, said.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` prints something that is not UTF-8", line(command)))
}

/// True if the program starts and ends well when it is asked for its version.
pub(crate) fn is_available(program: &str, args: &[&str]) -> bool {
    let mut command = command(program);
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// How a program ended, and all that it said.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the command to its end, which has to come within `limit`.
pub(crate) fn finish_within(command: &mut Command, limit: Duration) -> Result<Finished> {
    // Files, not pipes: nobody has to read them while the program runs.
    let mut stdout = tempfile::tempfile().context("a temporary file")?;
    let mut stderr = tempfile::tempfile().context("a temporary file")?;
    command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let mut child = command.spawn().with_context(|| cannot_start(command))?;

    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            let said = read_back(&mut stderr)?;
            bail!("`{}` did not end within {limit:?}; it said: {said}", line(command));
        }
        sleep(Duration::from_millis(2));
    };
    Ok(Finished { status, stdout: read_back(&mut stdout)?, stderr: read_back(&mut stderr)? })
}

fn read_back(file: &mut File) -> Result<String> {
    let mut octets = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut octets)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// The command as one would type it, for messages only.
pub(crate) fn line(command: &Command) -> String {
    let program = command.get_program();
    // Cargo tells us where it lies; whoever types the command again knows it by its name.
    let is_cargo = std::env::var_os("CARGO").is_some_and(|cargo| cargo == program);
    let mut line = if is_cargo { "cargo".into() } else { program.to_string_lossy().into_owned() };
    for arg in command.get_args() {
        let arg = arg.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
        let quote = if arg.chars().all(plain) && !arg.is_empty() { "" } else { "'" };
        // Writing to a String cannot fail.
        let _ = write!(line, " {quote}{arg}{quote}");
    }
    line
}

fn cannot_start(command: &Command) -> String {
    format!("`{}` cannot be started", line(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_command_and_what_it_said() {
        let error = capture(command("sh").args(["-c", "echo sorry >&2; exit 3"])).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("sh -c") && error.contains("sorry"), "{error}");
        let error = run(&mut command("there-is-no-such-program")).unwrap_err();
        assert!(format!("{error:#}").contains("there-is-no-such-program"), "{error:#}");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let begin = Instant::now();
        let mut hanging = command("sh");
        hanging.args(["-c", "echo before >&2; exec sleep 60"]);
        let error = finish_within(&mut hanging, Duration::from_millis(300)).err().unwrap();
        assert!(format!("{error:#}").contains("before"), "{error:#}");
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
}
