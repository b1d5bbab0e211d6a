//! A program of the administrator's with its arguments, as configuration names one: a list, which no shell ever reads.

use super::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A program by its absolute path, and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct CommandLine {
    program: String,
    arguments: Vec<String>,
}

impl CommandLine {
    pub fn program(&self) -> &str {
        &self.program
    }

    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

impl TryFrom<Vec<String>> for CommandLine {
    type Error = Invalid;
    fn try_from(words: Vec<String>) -> Result<Self, Invalid> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(Invalid::new(
                "the command is empty: name a program, as [\"/usr/bin/program\", \"argument\"]",
            ));
        };
        if !program.starts_with('/') || program.ends_with('/') || program.split('/').any(|part| part == "..")
        {
            return Err(Invalid::new(format!(
                "the command's program is {program:?}: it must be an absolute path, as \"/usr/bin/program\""
            )));
        }
        // They go through a job's file and an argument vector, which can hold all but this; and whoever reads them in a
        // message shall see what they are.
        if words.iter().any(|word| word.chars().any(char::is_control)) {
            return Err(Invalid::new("a control character cannot be in a command"));
        }
        // Without doubled slashes: one path has one spelling.
        let program: String =
            Path::new(program).components().collect::<PathBuf>().to_string_lossy().into_owned();
        Ok(Self { program, arguments: arguments.to_vec() })
    }
}

impl From<CommandLine> for Vec<String> {
    fn from(CommandLine { program, arguments }: CommandLine) -> Self {
        std::iter::once(program).chain(arguments).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Result<CommandLine, Invalid> {
        words.iter().map(ToString::to_string).collect::<Vec<_>>().try_into()
    }

    #[test]
    fn it_is_a_program_and_whatever_it_likes() {
        let good =
            command(&["/usr/bin/vault", "kv", "-field=key", "", "$(id); {fileset} \"'\\"]).expect("good");
        assert_eq!(good.program(), "/usr/bin/vault");
        assert_eq!(good.arguments(), ["kv", "-field=key", "", "$(id); {fileset} \"'\\"]);
        assert_eq!(command(&["//opt/./x"]).expect("good").program(), "/opt/x");
        for bad in [
            &[][..],
            &[""],
            &["vault"],
            &["./x"],
            &["-x"],
            &["/"],
            &["/bin/"],
            &["/a/../b"],
            &["/a\0"],
            &["/bin/x", "a\0b"],
            &["/bin/x", "a\nb"],
        ] {
            assert!(command(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_job_has_it_as_configuration_does() {
        assert!(serde_json::from_str::<CommandLine>("[\"vault\"]").is_err());
        let text = serde_json::to_string(&command(&["/v", "a"]).expect("one")).expect("json");
        assert_eq!(text, "[\"/v\",\"a\"]");
    }
}
