import Blocking
import Glibc
import HTTP

/// Gives the credentials for each request, and keeps those that a plugin printed until their end.
actor CredentialSource {
    /// What goes into one request.
    struct Proof: Sendable {
        var token: String?
        var trust: HTTPConfiguration.Trust
        /// Counts what a plugin printed.
        var generation = 0
    }

    private let credentials: ClusterCredentials
    private let trust: HTTPConfiguration.Trust
    private let now: @Sendable () -> Int64
    private var answer: ExecPlugin.Answer?
    private var files: [MemoryFile] = []
    private var generation = 0
    private var running: Task<Result<ExecPlugin.Answer, ClusterError>, Never>?

    /// Seconds before the end at which a plugin is asked anew.
    private static let margin: Int64 = 10

    init(_ endpoint: ClusterEndpoint, now: @escaping @Sendable () -> Int64 = { Int64(time(nil)) }) {
        credentials = endpoint.credentials
        trust = endpoint.trust
        self.now = now
    }

    func proof() async throws(ClusterError) -> Proof {
        switch credentials {
        case .none: return Proof(token: nil, trust: trust)
        case .bearer(let token): return Proof(token: token, trust: trust)
        case .tokenFile(let path): return Proof(token: try CredentialFile.text(path), trust: trust)
        case .exec(let plugin):
            try await refresh(plugin)
            var proof = Proof(token: answer?.token, trust: trust, generation: generation)
            if files.count == 2 {
                proof.trust.clientCertificate = files[0].path
                proof.trust.clientKey = files[1].path
            }
            return proof
        }
    }

    /// The server refused what a plugin printed: the next request asks it again.
    func refused(_ proof: Proof) {
        if proof.generation == generation { answer = nil }
    }

    private func refresh(_ plugin: ExecPlugin) async throws(ClusterError) {
        if let answer, answer.expires.map({ now() < $0 - Self.margin }) ?? true { return }
        let task =
            running
            ?? Task {
                await runBlocking { Result { () throws(ClusterError) in try plugin.run() } }
            }
        running = task
        let result = await task.value
        // Of several that waited, the first one takes it over.
        guard running == task else { return }
        running = nil
        let new = try result.get()
        files = []
        if let certificate = new.certificate {
            files = [try MemoryFile(certificate.chain), try MemoryFile(certificate.key)]
        }
        answer = new
        generation += 1
    }
}
