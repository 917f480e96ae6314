//! The program `dsvm-agent`: connects the command line with the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::main().into()
}
