//! `zc-events rebuild` with RabbitMQ: the stored batches and the events, an invalid item, resuming, and Ctrl-C.

use std::io::Write as _;
use std::path::Path;

use integration_tests::command::{PATIENCE, Scene};
use serde_json::{Value, json};
use tempfile::TempDir;
use zc_events::{Watch, Watched};

const REBUILD: [&str; 6] = ["rebuild", "index_order", "Order", "-", "--batch-size", "2"];

/// A fleet that stores batches in a folder, and a watch on its events.
fn scene() -> (Scene, Watch, TempDir) {
    let contents = tempfile::tempdir().unwrap();
    let url = format!("file://{}", contents.path().display());
    let scene = Scene::new().env("EVENTS_CONTENT_URL", &url).env("AWS_INDEXER_BUCKET_NAME", "index");
    let watch = scene.client().watch(Watched::Events).unwrap();
    (scene, watch, contents)
}

/// The batch of the next event.
fn batch(watch: &mut Watch, contents: &Path) -> Value {
    let message = watch.next(PATIENCE).unwrap().expect("it passes");
    assert_eq!((message.event_type(), &message.kwargs()["resource_type"]), ("index_order", &json!("Order")));
    let key = message.kwargs()["meta"]["s3_key"].as_str().expect("a key");
    serde_json::from_slice(&std::fs::read(contents.join("index").join(key)).unwrap()).unwrap()
}

#[test]
fn batches_are_stored_and_an_invalid_item_names_the_place_to_resume() {
    let (scene, mut watch, contents) = scene();
    let ended = scene.run_with(&REBUILD, "{\"id\": 1}\n\n\"two\"\n3\n{hunter2}\n5\n").with_code(2);
    assert_eq!(
        ended.json(),
        [json!({"event_type": "index_order", "resource_type": "Order", "batches": 1, "items": 2, "skipped": 0,
            "complete": false})]
    );
    for says in ["error: line 5: not valid JSON", "hint:  after fixing it, resume with --skip 2"] {
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("hunter2") && !ended.stderr.contains("WARN"), "{}", ended.stderr);
    let lines = "{\"id\": 1}\n\n\"two\"\n3\n4\n5\n";
    scene.write("items.jsonl", lines);
    let mut words = REBUILD;
    words[3] = "items.jsonl";
    let ended = scene.run(&[&words[..], &["--skip", "2"]].concat()).with_code(0);
    let told = &ended.json()[0];
    assert_eq!((&told["items"], &told["skipped"], &told["complete"]), (&json!(3), &json!(2), &json!(true)));
    let batches: Vec<_> = (0..3).map(|_| batch(&mut watch, contents.path())).collect();
    assert_eq!(batches, [json!([{"id": 1}, "two"]), json!([3, 4]), json!([5])]);
}

#[test]
fn ctrl_c_reports_what_was_sent_and_where_to_resume() {
    let (scene, mut watch, contents) = scene();
    let mut running = scene.start(&REBUILD);
    let mut stdin = running.stdin();
    stdin.write_all(b"1\n2\n3\n").unwrap();
    assert_eq!(batch(&mut watch, contents.path()), json!([1, 2]));
    running.interrupt();
    let ended = running.end().with_code(130);
    assert_eq!((&ended.json()[0]["items"], &ended.json()[0]["complete"]), (&json!(2), &json!(false)));
    assert!(ended.stderr.contains("interrupted; resume with --skip 2"), "{}", ended.stderr);
    drop(stdin);
}

#[test]
fn without_a_blob_store_or_a_bound_queue_nothing_is_sent() {
    let scene = Scene::new();
    let ended = scene.run_with(&REBUILD, "1\n").with_code(3);
    assert!(ended.stderr.contains("AWS_INDEXER_BUCKET_NAME"), "{}", ended.stderr);
    let scene = scene.env("AWS_INDEXER_BUCKET_NAME", "index");
    let ended = scene.run_with(&REBUILD, "1\n").with_code(3);
    assert!(ended.stderr.contains("EVENTS_CONTENT_URL"), "{}", ended.stderr);
    let contents = tempfile::tempdir().unwrap();
    let scene = scene.env("EVENTS_CONTENT_URL", &format!("file://{}", contents.path().display()));
    let ended = scene.run_with(&REBUILD, "1\n").with_code(7);
    assert_eq!((&ended.json()[0]["items"], &ended.json()[0]["complete"]), (&json!(0), &json!(false)));
    assert!(ended.stderr.contains("no queue is bound") && !ended.stderr.contains("--skip"), "{}", ended.stderr);
}
