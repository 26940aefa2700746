extension KanikoFlags {
    private static let ownRoot = "builds work in the state directory and never in the container's own file system"

    /// The executor of kaniko 1.24, and the flags that its living fork (osscontainertools 1.28) added.
    package static let executor = KanikoFlags(
        [
            // The context and the Dockerfile.
            KanikoFlag("context", short: "c", found: .honoured),
            KanikoFlag("context-sub-path", found: .honoured),
            KanikoFlag("dockerfile", short: "f", found: .honoured),
            KanikoFlag("git", found: .honoured),
            KanikoFlag("bucket", short: "b", found: .refused("contexts in a bucket are not part of this repository")),
            KanikoFlag(
                "preserve-context", .boolean, .idle("\(ownRoot), so there is nothing to be restored after the build")),

            // What is built.
            KanikoFlag("build-arg", .list, found: .honoured),
            KanikoFlag("target", .list, found: .honoured),
            KanikoFlag("skip-unused-stages", .toggle),
            KanikoFlag("custom-platform", formerly: ["customPlatform"], found: .honoured),
            KanikoFlag("label", .list, found: .honoured),
            KanikoFlag("annotation", .list, found: .honoured),
            KanikoFlag("secret", .list, found: .refused("build secrets are not supported there yet")),
            KanikoFlag(
                "single-snapshot", .boolean, found: .refused("one layer for the whole build is not supported there yet")
            ),
            KanikoFlag(
                "use-new-run", .boolean,
                .idle("what a RUN step changed is known exactly, without the two walks that the flag chooses between")),
            KanikoFlag(
                "snapshot-mode", .value, formerly: ["snapshotMode"],
                .idle("what a RUN step changed is known exactly; there is no mode that misses changes to save time")),
            KanikoFlag(
                "ignore-path", .list, found: .refused("leaving paths out of the layers is not supported there yet")),
            KanikoFlag("ignore-var-run", .toggle, formerly: ["whitelist-var-run"]),
            KanikoFlag("reproducible", .boolean),
            KanikoFlag(
                "force-build-metadata", .boolean,
                .idle("the image's history has an entry for every instruction, without empty layers")),
            KanikoFlag("force", .boolean, .idle("\(ownRoot), so it need not run in a container")),
            KanikoFlag("cleanup", .boolean, .idle("\(ownRoot), so there is nothing to be deleted after the build")),
            KanikoFlag(
                "pre-cleanup", .boolean, .idle("\(ownRoot), so there is nothing to be deleted before the build")),
            KanikoFlag(
                "materialize", .boolean,
                .refused(
                    reason: "\(ownRoot): the image's files are not unpacked to /",
                    remedy: "take the image out with --oci-layout-path or --tar-path and unpack that")),
            KanikoFlag("dryrun", .boolean, found: .refused("the executor is told to build nothing")),
            KanikoFlag("kaniko-dir", found: .local),

            // Caches.
            KanikoFlag("cache", .toggle),
            KanikoFlag("cache-repo", found: .local),
            KanikoFlag("cache-dir", found: .local),
            KanikoFlag("cache-run-layers", .toggle),
            KanikoFlag("cache-copy-layers", .toggle),
            KanikoFlag("cache-ttl"),
            KanikoFlag(
                "compressed-caching", .boolean,
                .idle("layers are compressed as a stream into the state directory and never held in memory")),
            KanikoFlag("no-push-cache", .boolean),
            KanikoFlag("compression"),
            KanikoFlag("compression-level"),

            // Where the image goes.
            KanikoFlag("destination", .list, short: "d", found: .honoured),
            KanikoFlag("no-push", .boolean, found: .honoured),
            KanikoFlag("push-retry"),
            KanikoFlag("push-ignore-immutable-tag-errors", .boolean),
            KanikoFlag("image-download-retry"),
            KanikoFlag("image-fs-extract-retry"),
            KanikoFlag("skip-push-permission-check", .boolean),
            KanikoFlag("tar-path", formerly: ["tarPath"], found: .local),
            KanikoFlag("oci-layout-path", found: .local),
            KanikoFlag("digest-file", found: .local),
            KanikoFlag("image-name-with-digest-file", found: .local),
            KanikoFlag("image-name-tag-with-digest-file", found: .local),
            KanikoFlag("image-format"),

            // Log.
            KanikoFlag("verbosity", short: "v"),
            KanikoFlag("log-format"),
            KanikoFlag("log-timestamp", .boolean),
        ] + registries)

    /// How registries are reached: the same for both programs, but for what is only about pushing.
    private static let registries = [
        KanikoFlag("insecure", .boolean, found: .transport),
        KanikoFlag("insecure-pull", .boolean, found: .transport),
        KanikoFlag("insecure-registry", .list, found: .transport),
        KanikoFlag("skip-tls-verify", .boolean, found: .transport),
        KanikoFlag("skip-tls-verify-pull", .boolean, found: .transport),
        KanikoFlag("skip-tls-verify-registry", .list, found: .transport),
        KanikoFlag("registry-certificate", .list, found: .transport),
        KanikoFlag("registry-client-cert", .list, found: .transport),
        KanikoFlag("registry-mirror", .list, found: .transport),
        KanikoFlag("registry-map", .list, found: .transport),
        KanikoFlag("skip-default-registry-fallback", .boolean, found: .transport),
        KanikoFlag("credential-helpers", .list, found: .transport),
    ]

    /// The warmer of kaniko 1.24.
    package static let warmer = KanikoFlags(
        [
            KanikoFlag("image", .list, short: "i"),
            KanikoFlag("dockerfile", short: "d"),
            KanikoFlag("build-arg", .list),
            KanikoFlag("cache-dir", short: "c"),
            KanikoFlag("force", .boolean, short: "f"),
            KanikoFlag(
                "cache-ttl", .value,
                .idle("what is kept is found by its digest, and a tag is asked for each time, so nothing becomes stale")
            ),
            KanikoFlag("custom-platform", formerly: ["customPlatform"]),
            KanikoFlag("image-download-retry"),
            KanikoFlag("verbosity", short: "v"),
            KanikoFlag("log-format"),
            KanikoFlag("log-timestamp", .boolean),
        ] + registries.filter { $0.name != "insecure" && $0.name != "skip-tls-verify" })
}
