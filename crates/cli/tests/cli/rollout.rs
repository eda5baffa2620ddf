//! `docs/rollout.md` shows what the commands say: its files are written, its commands run.

use crate::support::Folder;

const GUIDE: &str = include_str!("../../../../docs/rollout.md");

/// What begins with `start` and goes on to the end of its block.
fn blocks<'g>(start: &str) -> impl Iterator<Item = &'g str> {
    let start = start.to_owned();
    GUIDE
        .match_indices("```")
        .map(|(at, _)| &GUIDE[at..])
        .filter_map(move |block| block.strip_prefix(&start).map(|block| block.split("```").next().unwrap_or_default()))
}

#[test]
fn the_guide_shows_what_the_commands_say() {
    let folder = Folder::new();
    for file in GUIDE.split("<!-- file: ").skip(1) {
        let (name, block) = file.split_once(" -->\n```").expect("a block");
        let (_, text) = block.split_once('\n').expect("a block");
        folder.write(name, text.split("```").next().expect("text"));
    }
    let mut ran = 0;
    for session in blocks("```console\n$ tidegate ") {
        let (command, told) = session.split_once('\n').expect("a command");
        let run = folder.run(&command.split(' ').collect::<Vec<_>>()).ends(0);
        assert_eq!(run.stdout, told, "what `tidegate {command}` says is not what docs/rollout.md shows");
        ran += 1;
    }
    assert_eq!(ran, 3);
    for policy in ["shop", "next", "enforced"] {
        folder.run(&["check", &format!("policies/{policy}.toml")]).ends(0);
    }
}
