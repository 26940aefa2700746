import Agent
import ArgumentParser
import Diagnostics
import Glibc

/// Which agent is meant: the one that runs on a state directory, or one that answers at an address.
package struct StateOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The agent's configuration file, which names its state directory.", valueName: "file"))
    var config: String?

    @Option(
        name: .customLong("state-dir"), help: ArgumentHelp("The agent's state directory.", valueName: "directory"))
    var stateDirectory: String?

    @OptionGroup var server: ServerOptions

    package init() {}

    package mutating func validate() throws {
        if server.server != nil, config != nil || stateDirectory != nil {
            throw ValidationError("--server and --config or --state-dir exclude each other")
        }
    }

    /// The agent that is meant; `nil` when none runs on the state directory.
    ///
    /// - Throws: when none answers at the address that is given.
    func running() async throws -> AgentClient? {
        if let agent = try await server.connect() { return agent }
        return try await AgentClient.connect(try directory())
    }

    /// The state directory. When nothing is said of it: the user's own or a configuration's default, wherever an agent runs.
    func directory() throws -> String {
        if let stateDirectory { return TextFile.absolute(stateDirectory) }
        if let config { return try ConfigurationFile.read(config).stateDirectory }
        let usual = [RepositoryOptions.defaultStateDirectory, "/var/lib/slipway"]
        return usual.first { access(AgentSocket.path(in: $0), F_OK) == 0 } ?? usual[0]
    }

    /// The history in a state directory, where no agent runs that could be asked.
    ///
    /// - Throws: when there is none; nothing is made.
    static func history(in directory: String) async throws(AgentError) -> HistoryStore {
        guard access(directory + "/history", F_OK) == 0 else {
            throw AgentError(
                "there is no history of builds", place: directory,
                hint: "name the agent's state directory by --config or --state-dir")
        }
        return await HistoryStore(directory: directory)
    }

    /// - Throws: when no agent runs there.
    func agent() async throws -> AgentClient {
        guard let agent = try await running() else {
            throw AgentError(
                "no agent runs on \(try directory())",
                hint:
                    "start one with 'slipway agent', or name its state directory by --config or --state-dir, or its address by --server"
            )
        }
        return agent
    }
}

extension Console {
    /// Runs a command's work; what goes wrong is told, and the exit code is 1.
    func reporting(_ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch let error as any Diagnostic {
            alert("error: \(error)")
            throw ExitCode(1)
        }
    }
}
