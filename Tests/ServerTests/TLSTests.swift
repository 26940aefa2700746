import Foundation
import HTTP
import TestSupport
import Testing

@testable import Agent
@testable import Server

/// HTTPS where the agent listens: the certificate of `tls:`, and another one when its files change.
@Suite(.tags(.integration)) struct TLSTests {
    private struct Place {
        let directory: TemporaryDirectory
        let settings: TLSSettings
        let tls: ServerTLS
        let server: AgentServer
        let agent = FakeAgent()

        init(limits: ServerLimits = ServerLimits()) async throws {
            directory = try TemporaryDirectory("tls")
            try TestCertificates.make(in: directory.path)
            settings = TLSSettings(certFile: directory.file("server.pem"), keyFile: directory.file("server.key"))
            tls = try await ServerTLS.load(settings)
            server = try await AgentServer.start(address: "127.0.0.1:0", control: agent, tls: tls, limits: limits)
        }

        /// Trusts the authority that the files were made by last.
        func ask(_ path: String) async throws -> HTTPResponse {
            var configuration = HTTPConfiguration()
            configuration.trust["127.0.0.1"] = .init(certificateBundle: directory.file("ca.pem"))
            return try await HTTPClient(configuration).send(
                HTTPRequest("GET", try HTTPURL("https://127.0.0.1:\(server.port)\(path)")), limit: 1 << 20)
        }
    }

    @Test func `pages, the API and events come by HTTPS`() async throws {
        let place = try await Place()
        #expect(try await place.ask("/api/v1/status").status == 200)
        #expect(try await place.ask("/healthz").status == 200)
        await place.server.stop()
    }

    @Test func `another certificate is shown once its files have changed, and a bad one is not`() async throws {
        let place = try await Place()
        #expect(try await place.tls.reload(place.settings) == false)
        let old = try Data(contentsOf: URL(fileURLWithPath: place.settings.certFile))
        try TestCertificates.make(in: place.directory.path)
        // The client trusts the new authority only.
        await #expect(throws: HTTPError.self) { try await place.ask("/healthz") }
        #expect(try await place.tls.reload(place.settings))
        #expect(try await place.ask("/healthz").status == 200)
        for bad in [Data("no certificate".utf8), Data(), old] {
            try bad.write(to: URL(fileURLWithPath: place.settings.certFile))
            let error = await #expect(throws: AgentError.self) { try await place.tls.reload(place.settings) }
            #expect(error?.place == place.settings.certFile)
            #expect(try await place.ask("/healthz").status == 200)
        }
        await place.server.stop()
    }

    @Test(arguments: ["", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}\u{0}\u{5}"])
    func `who does not speak TLS is given up, and nobody else`(_ text: String) async throws {
        var limits = ServerLimits()
        limits.patience = .milliseconds(300)
        let place = try await Place(limits: limits)
        let connection = try RawConnection(port: place.server.port)
        connection.send(text)
        let answer = await Task.detached { connection.readToEnd() }.value
        #expect(!answer.contains("HTTP/1.1 200"))
        #expect(place.agent.asked.isEmpty)
        await place.server.stop()
    }

    @Test(arguments: ["certFile", "keyFile"])
    func `files that are not there are named`(_ missing: String) async throws {
        let directory = try TemporaryDirectory("tls")
        try TestCertificates.make(in: directory.path)
        var settings = TLSSettings(certFile: directory.file("server.pem"), keyFile: directory.file("server.key"))
        if missing == "certFile" { settings.certFile += "x" } else { settings.keyFile += "x" }
        let error = await #expect(throws: AgentError.self) { try await ServerTLS.load(settings) }
        #expect("\(String(describing: error))".contains("server"))
    }
}
