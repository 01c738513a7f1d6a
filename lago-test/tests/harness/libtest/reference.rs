//! What libtest prints for the fixture `like_libtest`. Compiled by `rustc --test` when the tests run.

mod deploy {
    #[test]
    fn configure() {}

    #[test]
    fn fails_when_wanted() {
        println!("hello");
        assert!(std::env::var_os("LAGO_FIXTURE_FAIL").is_none(), "as wanted");
    }
}

mod serve {
    #[test]
    #[ignore = "takes an hour"]
    fn fetch() {}

    #[test]
    fn post() {}
}
