import Diagnostics
import OCI
import Synchronization
import TestSupport
import Testing

@testable import Registry

/// Where a registry's answers may send the client, in which way, and what it brings there.
@Suite(.tags(.integration), .thorough) struct AnsweredURLTests {
    /// Where an answer leads.
    enum Goal: String, CaseIterable, Sendable {
        case same, otherSecure, otherDeclared, otherUndeclared
        /// `http:` at the host and port that speak TLS.
        case downgrade
    }

    /// The registry and another server, each in plain HTTP and behind TLS.
    private struct World {
        let way: AnswerWay
        let bench: UploadBench
        let registry: StubServer
        let other: StubServer
        let secureRegistry: TLSFront
        let secureOther: TLSFront
        private let place: Place

        private final class Place: Sendable {
            let text = Mutex("")
        }

        init(_ way: AnswerWay) async throws {
            let bench = try UploadBench(bytes: 100, isStored: true)
            let place = Place()
            let server = { () throws in
                try StubServer { way.answer($0, leadingTo: place.text.withLock { $0 }, bench) }
            }
            (registry, other) = (try server(), try server())
            secureRegistry = try await TLSFront(before: registry.port)
            secureOther = try await TLSFront(before: other.port)
            (self.way, self.bench, self.place) = (way, bench, place)
        }

        private func access(_ host: String, isSecure: Bool, _ goal: Goal) -> RegistryAccess {
            var configuration = RegistryConfiguration()
            configuration.retry.pause = .milliseconds(1)
            configuration.retry.attempts = 2
            if !isSecure { configuration.insecureRegistries.insert(host) }
            if goal == .otherDeclared { configuration.insecureRegistries.insert(other.host) }
            // Declared, and yet it speaks TLS.
            if goal == .downgrade { configuration.plainFallback = [host] }
            for front in [secureRegistry, secureOther] {
                configuration.certificateBundles[front.host] = front.certificateAuthority
            }
            if way == .chunkedUpload {
                var options = RegistryConfiguration.HostOptions()
                options.uploadChunk = 60
                configuration.hosts[host] = options
            }
            var keychain = Keychain.empty
            if let credentials = way.credentials { keychain.set(credentials, for: host) }
            return RegistryAccess(configuration: configuration, keychain: keychain)
        }

        struct Outcome {
            var error: RegistryError?
            /// At the other server, and at the registry.
            var other: [StubRequest]
            var registry: [StubRequest]
        }

        func run(_ goal: Goal, isSecure: Bool) async -> Outcome {
            let host = isSecure ? secureRegistry.host : registry.host
            place.text.withLock {
                $0 =
                    switch goal {
                    case .same: "\(isSecure ? secureRegistry.url : registry.url)/elsewhere"
                    case .otherSecure: "\(secureOther.url)/elsewhere"
                    case .otherDeclared, .otherUndeclared: "\(other.url)/elsewhere"
                    case .downgrade: "http://\(host)/elsewhere"
                    }
            }
            let before = (other.requests.count, registry.requests.count)
            var error: RegistryError?
            do {
                try await way.take(access(host, isSecure: isSecure, goal), host: host, bench)
            } catch let found as RegistryError {
                error = found
            } catch {
                Issue.record(error)
            }
            return Outcome(
                error: error, other: Array(other.requests.dropFirst(before.0)),
                registry: Array(registry.requests.dropFirst(before.1)))
        }
    }

    @Test(arguments: AnswerWay.allCases)
    func `an answer leads over TLS, or to a host that is declared insecure itself`(_ way: AnswerWay) async throws {
        let world = try await World(way)
        for isSecure in [false, true] {
            for goal in Goal.allCases where goal != .downgrade || isSecure {
                let outcome = await world.run(goal, isSecure: isSecure)
                let what: Comment = "\(isSecure ? "https" : "http") to \(goal): \(String(describing: outcome.error))"
                // Lists go on at their own host or not at all.
                let isElsewhere = goal != .same && goal != .downgrade
                switch goal {
                case _ where isElsewhere && way.isPage:
                    #expect(outcome.error?.code == .invalidContent && outcome.other.isEmpty, what)
                case .otherUndeclared:
                    #expect(outcome.error?.code == .plainHTTPRefused && outcome.other.isEmpty, what)
                    let hint = outcome.error?.hint ?? ""
                    #expect(hint.contains("--insecure-registry \(world.other.host)"), what)
                    #expect(hint.contains("'insecure: true'"), what)
                case .downgrade where way.isToken || way.isRedirect:
                    #expect(outcome.error?.code == .plainHTTPRefused, what)
                    #expect(outcome.error?.hint?.contains("--insecure-registry") == false, what)
                default:
                    #expect(outcome.error == nil, what)
                    #expect(outcome.other.isEmpty != isElsewhere, what)
                }
                checkCredentials(world, outcome, goal, isSecure: isSecure, what)
            }
        }
    }

    /// Passwords and tokens go to the registry, and to its token service.
    private func checkCredentials(
        _ world: World, _ outcome: World.Outcome, _ goal: Goal, isSecure: Bool, _ what: Comment
    ) {
        let way = world.way
        for request in outcome.other {
            let text = (request.headers["authorization"] ?? "") + String(decoding: request.body, as: UTF8.self)
            switch way {
            case .tokenForPassword: #expect(text.hasPrefix("Basic "), what)
            case .tokenForIdentity: #expect(text.contains("refresh-secret"), what)
            case .upload, .chunkedUpload, .streamedUpload, .mount:
                #expect(request.headers["authorization"] == nil, what)
            default: #expect(text.isEmpty, what)
            }
            #expect(request.headers["x-slipway-tls"] == (goal == .otherSecure ? "yes" : nil), what)
        }
        if isSecure {
            #expect(outcome.registry.allSatisfy { $0.headers["x-slipway-tls"] == "yes" }, what)
        }
        if outcome.error == nil, !way.isToken, goal == .same || goal == .downgrade {
            let arrived = outcome.registry.filter { $0.path.hasPrefix("/elsewhere") }
            #expect(!arrived.isEmpty && arrived.allSatisfy { $0.headers["authorization"] != nil }, what)
        }
    }

    /// What the executor's user may name in private networks, and `*`, do for the registry's own place; its token service in
    /// such a network has to be declared, and `*` declares it.
    @Test(arguments: [true, false])
    func `a private network is no declaration`(_ isEverywhere: Bool) async throws {
        let bench = try UploadBench(bytes: 10, isStored: false)
        let way = AnswerWay.tokenForPassword
        let tokens = try StubServer { way.answer($0, leadingTo: "", bench) }
        let place = tokens.url + "/elsewhere"
        let server = try StubServer { way.answer($0, leadingTo: place, bench) }
        var configuration = RegistryConfiguration()
        configuration.fallsBackToPlainLocally = true
        if isEverywhere { configuration.plainFallback = ["*"] }
        var keychain = Keychain.empty
        keychain.set(.basic(user: "ci", password: "hunter2"), for: server.host)
        let access = RegistryAccess(configuration: configuration, keychain: keychain)
        if isEverywhere {
            try await way.take(access, host: server.host, bench)
            #expect(tokens.requests.count == 1)
        } else {
            let error = await #expect(throws: RegistryError.self) {
                try await way.take(access, host: server.host, bench)
            }
            #expect(error?.code == .plainHTTPRefused && tokens.requests.isEmpty)
            #expect(server.requests.count == 1)
        }
    }

    /// The credentials of a registry are not those of its mirror, and a mirror that is not declared speaks TLS.
    @Test(arguments: [true, false])
    func `mirrors have credentials of their own`(_ isDeclared: Bool) async throws {
        let bench = try UploadBench(bytes: 10, isStored: false)
        let mirror = try StubServer { request in
            guard request.headers["authorization"] != nil else {
                return .text(401, "", headers: [("WWW-Authenticate", "Basic realm=\"mirror\"")])
            }
            return .text(404, "")
        }
        let upstream = try StubServer { _ in
            .text(200, "", headers: [("Docker-Content-Digest", bench.blob.digest.description)])
        }
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = isDeclared ? [upstream.host, mirror.host] : [upstream.host]
        configuration.retry.attempts = 1
        configuration.mirrors = [(from: upstream.host, to: [mirror.host])]
        var keychain = Keychain.empty
        keychain.set(.basic(user: "ci", password: "hunter2"), for: upstream.host)
        let access = RegistryAccess(configuration: configuration, keychain: keychain)
        let candidates = access.pullCandidates(.registry(host: upstream.host, path: "app"))
        #expect(candidates.count == 2)
        let error = await #expect(throws: RegistryError.self) { _ = try await candidates[0].digest(ofTag: "v1") }
        #expect(error?.code == (isDeclared ? .unauthorized : .tls))
        #expect(mirror.requests.count == (isDeclared ? 1 : 0))
        #expect(mirror.requests.allSatisfy { $0.headers["authorization"] == nil })
        #expect(try await candidates[1].digest(ofTag: "v1") == bench.blob.digest)
    }
}
