//! `tidegate keys`.

use serde_json::Value;

use crate::support::Folder;

#[test]
fn a_new_pair_is_two_files_and_the_private_one_is_its_owners() {
    let folder = Folder::new();
    let run = folder.run(&["keys", "new", "--alg", "ES256", "--kid", "2026-11", "--out", "platform.pem"]).ends(0);
    assert_eq!(folder.names(), ["platform.jwk", "platform.pem"]);
    let private = String::from_utf8(folder.read("platform.pem")).unwrap();
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----\n") && private.ends_with("-----END PRIVATE KEY-----\n"));
    assert_eq!(run.stdout.as_bytes(), folder.read("platform.jwk"));
    let public = &run.json()[0];
    assert_eq!((&public["kid"], &public["use"], &public["alg"]), (&"2026-11".into(), &"sig".into(), &"ES256".into()));
    assert_eq!(public["d"], Value::Null);

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.path("platform.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn no_key_is_ever_overwritten() {
    let folder = Folder::new();
    for (there, other) in [("a.pem", "a.jwk"), ("a.jwk", "a.pem")] {
        folder.write(there, "dear");
        folder
            .run(&["keys", "new", "--alg", "EdDSA", "--out", "a.pem"])
            .ends(3)
            .says("exists already", "another place");
        assert_eq!(folder.read(there), b"dear");
        assert!(!folder.path(other).exists(), "no half of a pair is left");
        std::fs::remove_file(folder.path(there)).unwrap();
    }
}

#[test]
fn without_a_file_the_private_key_is_what_a_pipe_gets() {
    let folder = Folder::new();
    let run = folder.run(&["keys", "new", "--alg", "EdDSA"]).ends(0);
    assert!(run.stdout.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(run.stderr.contains(r#""crv":"Ed25519""#));
    assert!(!run.stderr.contains("PRIVATE"));
    assert!(folder.names().is_empty());
}

#[test]
fn one_set_holds_the_old_key_and_the_new_one() {
    let folder = Folder::new();
    for (alg, kid) in [("ES256", "2026-05"), ("EdDSA", "2026-11")] {
        folder.run(&["keys", "new", "--alg", alg, "--kid", kid, "--out", &format!("{kid}.pem")]).ends(0);
    }
    // By the public halves, or by the private ones, whose names lie beside them.
    for files in [["2026-05.jwk", "2026-11.jwk"], ["2026-05.pem", "2026-11.pem"]] {
        let run = folder.run(&["keys", "jwks", files[0], files[1], "--format", "json"]).ends(0);
        let set = &run.json()[0];
        let kids: Vec<_> = set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
        assert_eq!(kids, ["2026-05", "2026-11"]);
        assert!(set["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none()));
        folder.write("set.json", run.stdout);
    }
    let again = folder.run(&["keys", "jwks", "set.json"]).ends(0);
    let set: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(set["keys"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_pem_file_of_another_origin_can_be_named() {
    let folder = Folder::new();
    let pem = folder.run(&["keys", "new", "--alg", "ES256"]).ends(0).stdout;
    folder.write("openssl.pem", pem);
    let set = folder.run(&["keys", "jwks", "spring=openssl.pem", "--format", "json"]).ends(0);
    assert_eq!(set.json()[0]["keys"][0]["kid"], "spring");
}

#[test]
fn what_is_no_key_is_refused_without_being_shown() {
    let folder = Folder::new();
    folder.write("secret.txt", "hunter2");
    let run = folder.run(&["keys", "jwks", "secret.txt"]).ends(1);
    run.says("`secret.txt` holds no key", "PKCS#8");
    assert!(!run.stderr.contains("hunter2"));
    folder.run(&["keys", "jwks", "."]).ends(3).says("is a directory", "name a file");
    folder.run(&["keys", "jwks", "absent.pem"]).ends(3).says("cannot read `absent.pem`", "spelling");
}
