import Blocking

typealias SpawnedProgram = SpawnedProcess

extension SpawnedProcess {
    /// A program that git needs, with git's error where it does not start. Nothing of our environment is inherited.
    init(
        _ path: String, _ arguments: [String], environment: [String], descriptors: (Int32, Int32, Int32),
        ownSession: Bool = false
    ) throws(GitError) {
        do throws(ChildProcess.Failure) {
            try self.init(path, arguments, environment: environment, streams: descriptors, ownSession: ownSession)
        } catch {
            guard case .notStarted(let reason) = error else { throw GitError(.storage, "\(path) cannot be run") }
            throw GitError(.storage, "\(path) cannot be run", cause: reason)
        }
    }
}
