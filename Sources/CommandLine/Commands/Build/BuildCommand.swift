import Agent
package import ArgumentParser

/// `slipway build`: one image, from a directory, an archive or a repository.
package struct BuildCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Build one image and push it.",
        discussion: """
            Progress goes to standard error; the image's digest is the only line on standard output. The flags are those of \
            kaniko's executor with their meaning, and BuildKit's where kaniko has none; docs/build.md says what differs.

            EXAMPLES
              slipway build --context . --destination registry.example.com/acme/app:v1
              slipway build --context git://git.example.com/acme/app#refs/heads/main --destination acme/app:v1
              slipway build --context dir:///src --dockerfile docker/Dockerfile --build-arg FLAVOUR=red \\
                  --destination oci:/srv/images/app:v1
              tar -cz . | slipway build --context tar://stdin --no-push --tar-path app.tar
              slipway build --context . --build-context nginx=oci-layout:///srv/base --no-push
              slipway build --context . --build-context assets=https://git.example.com/assets.git#main:dist \\
                  --secret id=token,env=NPM_TOKEN --no-push
            """)

    @OptionGroup var options: BuildOptions

    package init() {}

    package mutating func validate() throws { try options.check() }

    package mutating func run() async throws { try await BuildSession(options, isExecutor: false).run() }
}

/// `slipway executor`, or this binary under the name `executor`: kaniko's executor, for Jobs that were written for it.
package struct ExecutorCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "executor",
        abstract: "Build one image as kaniko's executor is asked to.",
        discussion: """
            As 'slipway build', with kaniko's defaults: the context is /workspace, credentials are in /kaniko/.docker when \
            DOCKER_CONFIG says nothing else, and a Dockerfile of the working directory goes before the context's. A link \
            called 'executor' to this program does the same.

            EXAMPLE
              slipway executor --context=dir:///workspace --dockerfile=Dockerfile --destination=registry.example.com/app:v1
            """)

    @OptionGroup var options: BuildOptions

    @Argument(help: ArgumentHelp("A command of kaniko's.", visibility: .hidden))
    var words: [String] = []

    package init() {}

    package mutating func validate() throws {
        switch words.first {
        case nil: try options.check()
        case "version": break
        case "login":
            throw ValidationError("'executor login' is not there: mount a config.json and set DOCKER_CONFIG")
        case "push":
            throw ValidationError("'executor push' is not there: use 'slipway registry copy oci:DIRECTORY:TAG IMAGE'")
        case let word?: throw ValidationError("'\(word)' is no flag of the executor; remove it from the args")
        }
    }

    package mutating func run() async throws {
        if words.first == "version" {
            Console().result("slipway \(Version.text)")
            return
        }
        try await BuildSession(options, isExecutor: true).run()
    }
}
