import Blocking

/// Runs a program that a credential helper is. Blocks.
enum HelperProcess {
    /// - Parameter input: at most 4 KiB.
    static func run(
        _ program: String, _ arguments: [String], searchPath: String, input: [UInt8], outputLimit: Int,
        timeout: Duration
    ) throws(RegistryError) -> ChildProcess.Result {
        guard let path = ChildProcess.find(program, in: searchPath) else {
            throw RegistryError(
                .credentials, "\(program) is not installed", cause: "it is in no directory of PATH",
                hint: "install it, or take it out of config.json")
        }
        var process = ChildProcess(path, arguments)
        process.input = input
        process.outputLimit = outputLimit
        process.timeout = timeout
        do throws(ChildProcess.Failure) {
            return try process.run()
        } catch {
            switch error {
            case .notStarted(let reason):
                throw RegistryError(.credentials, "\(path) cannot be run", cause: reason)
            case .tookTooLong:
                throw RegistryError(
                    .credentials, "\(program) was stopped",
                    cause: "it took longer than \(timeout.components.seconds) seconds")
            case .printedTooMuch:
                throw RegistryError(
                    .credentials, "\(program) was stopped", cause: "it printed more than \(outputLimit) bytes")
            }
        }
    }
}
