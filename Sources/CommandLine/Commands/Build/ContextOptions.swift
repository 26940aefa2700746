import ArgumentParser

/// Where the context and the Dockerfile of `slipway build` are.
struct ContextOptions: ParsableArguments {
    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp(
            "The build context: a directory, dir://PATH, tar://PATH, tar://stdin, git://HOST/REPOSITORY[#REF[#COMMIT]], the URL of a git repository or of an archive, s3://, gs://, or an Azure blob. The working directory by default; /workspace for 'executor'.",
            valueName: "context"))
    var context: String?

    @Option(
        name: .customLong("context-sub-path"),
        help: ArgumentHelp("A directory inside the context that is used as the context.", valueName: "path"))
    var subPath: String?

    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp(
            "The Dockerfile: a path from the working directory or inside the context, an http(s) URL, or - for standard input. FILE.dockerignore beside it is used instead of .dockerignore.",
            valueName: "file"))
    var dockerfile: String?

    @Option(
        help: ArgumentHelp(
            "How a git context is fetched: branch=NAME,commit=ID,recurse-submodules=true,lfs=true,keep-git-dir=true,insecure-skip-tls=true.",
            valueName: "options"))
    var git: String?

    @Option(
        name: [.customShort("b"), .long],
        help: ArgumentHelp("A bucket that holds the context: gs:// before what names no service.", visibility: .hidden))
    var bucket: String?

    @Option(
        name: .customLong("build-context"),
        help: ArgumentHelp(
            "What a name in FROM or COPY --from stands for: a directory, docker-image://REF, oci-layout:///PATH, target:STAGE, a git repository or an http(s) URL.",
            valueName: "name=value"))
    var named: [String] = []

    @Option(
        name: .customLong("ssh-key"),
        help: ArgumentHelp(
            "The private key for git sources by SSH; the SSH agent and ~/.ssh by default.", valueName: "file"))
    var sshKey: String?

    @Option(
        name: .customLong("known-hosts"),
        help: ArgumentHelp("Host keys for git sources by SSH; ~/.ssh/known_hosts by default.", valueName: "file"))
    var knownHosts: String?

    @Option(
        name: .customLong("ssh-passphrase-file"),
        help: ArgumentHelp("The passphrase of --ssh-key.", valueName: "file"))
    var sshPassphraseFile: String?

    @Option(
        name: .customLong("git-username"),
        help: ArgumentHelp("The user for git sources by HTTPS; GIT_USERNAME by default.", valueName: "name"))
    var gitUsername: String?

    @Option(
        name: .customLong("git-password-file"),
        help: ArgumentHelp("The password for git sources by HTTPS; GIT_PASSWORD by default.", valueName: "file"))
    var gitPasswordFile: String?

    @Option(
        name: .customLong("git-token-file"),
        help: ArgumentHelp("The token for git sources by HTTPS; GIT_TOKEN by default.", valueName: "file"))
    var gitTokenFile: String?

    @Option(
        name: .customLong("git-credentials-for"),
        help: ArgumentHelp(
            "Use git credentials for this repository, or what is below this URL, and for no other. Repeat for several. By default they are for the context's host, and SSH keys for all.",
            valueName: "url"))
    var gitCredentialsFor: [String] = []

    @Option(
        name: .customLong("git-ca-file"),
        help: ArgumentHelp("Certificates for git sources by HTTPS.", valueName: "file"))
    var gitCertificates: String?
}
