import Agent
import Builder
import Diagnostics
import OCI
import Registry
import Sandbox

/// How the build ended, for whoever waits for it: `--result-file`.
struct ResultFile {
    private let path: String?
    private let start = ContinuousClock.now

    init(_ path: String?) { self.path = path }

    func made(_ product: BuildProduct) {
        let isolation = product.images.compactMap(\.isolation).first
        put(
            JobResult(
                digest: product.manifest.digest, seconds: (ContinuousClock.now - start).seconds,
                isolation: isolation?.rawValue))
    }

    /// What is not a failure of the build itself (flags, files, the context's host) is of the place where it runs.
    func failed(_ error: any Error) {
        let failure: BuildError =
            switch error {
            case let error as BuildError: error
            case let error as any Diagnostic:
                BuildError(
                    .storage, error.summary, place: error.place, cause: error.cause, hint: error.hint, isTransient: true
                )
            default: BuildError(.storage, "\(error)", isTransient: true)
            }
        put(JobResult(failure))
    }

    /// Runs what depends on other machines alone: its failure says nothing of the build.
    func outside<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as BuildError {
            var error = error
            error.isTransient = true
            throw error
        }
    }

    /// A file that cannot be written changes nothing of how the build ended.
    private func put(_ result: JobResult) {
        guard let path else { return }
        try? DigestFiles.write(String(decoding: result.encoded, as: UTF8.self), to: TextFile.absolute(path))
    }
}
