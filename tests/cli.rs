//! The command line of the real binary.

use std::process::{Command, Output};

fn relais(arguments: &[&str], pepper: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relais"));
    command.args(arguments).env_remove("RELAIS_PEPPER");
    if let Some(pepper) = pepper {
        command.env("RELAIS_PEPPER", pepper);
    }
    command.output().expect("it runs")
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("UTF-8")
}

#[test]
fn check_names_every_mistake_with_its_line_and_the_nearest_right_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("wrong.toml");
    std::fs::write(
        &file,
        "[htp]\nlisten = \"127.0.0.1:80\"\n[[carriers]]\nname = \"one\"\nhost = \"h\"\nsystem_id = \"s\"\npassword = \"p\"\nwindw = 3\n",
    )
    .expect("written");
    let done = relais(&["check", file.to_str().expect("UTF-8")], None);
    assert_eq!(done.status.code(), Some(2));
    let said = text(&done.stderr);
    let name = file.display().to_string();
    assert!(said.contains(&format!("{name}:1:")) && said.contains("did you mean `http`?"), "{said}");
    assert!(said.contains(&format!("{name}:8:")) && said.contains("did you mean `window`?"), "{said}");
    for command in [&["serve", "--config"][..], &["check"][..]] {
        let done = relais(&[command, &["/nowhere.toml"]].concat(), None);
        assert_eq!(done.status.code(), Some(2), "{command:?}");
        assert!(text(&done.stderr).contains("/nowhere.toml"), "{command:?}");
    }
}

#[test]
fn check_takes_the_shipped_file_and_secrets_for_granted_when_told_to() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/relais.toml");
    assert_eq!(relais(&["check", file], None).status.code(), Some(2), "its secrets are not here");
    let done = relais(&["check", "--assume-secrets", file], None);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains("1 accounts, 1 carriers"), "{}", text(&done.stdout));
}

#[test]
fn key_shows_a_key_once_with_the_lines_for_the_configuration() {
    assert_eq!(relais(&["key", "shop-1"], None).status.code(), Some(2));
    let pepper = "a pepper of more than sixteen octets";
    let done = relais(&["key", "shop-1"], Some(pepper));
    let said = text(&done.stdout);
    let key = said.lines().next().expect("a key");
    let secret = key.strip_prefix("shop-1.").expect("the id comes first");
    assert!(secret.len() >= 32, "{} characters are too few", secret.len());
    let hash = relais::config::KeyHash::of(&relais::base::Secret::new(pepper), secret.as_bytes()).to_hex();
    assert!(said.contains(&format!("hash = \"{hash}\"")), "{said}");
    assert_ne!(text(&relais(&["key", "shop-1"], Some(pepper)).stdout), said, "each key is another");
}
