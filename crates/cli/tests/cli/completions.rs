//! `tidegate completions`.

use std::process::Command;

use crate::support::Folder;

#[test]
fn every_shell_has_completions_and_others_are_usage_errors() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = folder.run(&["completions", shell]).ends(0);
        for word in ["check", "explain", "deny"] {
            assert!(run.stdout.contains(word), "{shell}: {word}");
        }
    }
    folder.run(&["completions", "tcsh"]).ends(2);
    folder.run(&["completions"]).ends(2);
}

#[cfg(unix)]
#[test]
fn bash_completes_commands_flags_and_codes() {
    let folder = Folder::new();
    folder.write("tidegate.bash", folder.run(&["completions", "bash"]).ends(0).stdout);
    // What pressing Tab does: the words so far, and the number of the one that is being written.
    let completed = |words: &str| {
        let script = format!(
            "source tidegate.bash; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _tidegate tidegate \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        let output =
            Command::new("bash").args(["--norc", "-c", &script]).current_dir(folder.path("")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(completed("tidegate comp"), "compile completions");
    assert_eq!(completed("tidegate check --den"), "--deny");
    assert_eq!(completed("tidegate check --deny shadow"), "shadowed-rule");
    assert_eq!(completed("tidegate check --deny warn"), "warnings");
    assert_eq!(completed("tidegate explain unknown-"), "unknown-key unknown-name");
}
