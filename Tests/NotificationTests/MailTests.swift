import Foundation
import HTTP
import TestSupport
import Testing

@testable import Notifications

/// Mail, taken by a real server and read by a real parser.
@Suite(.tags(.integration), .thorough) struct MailTests {
    private static func channel(
        _ server: MailServer, _ security: SMTPServer.Security, to: [String] = ["Ops <ops@example.com>"],
        from: String = "Slipway <slipway@example.com>", password: String? = nil, trusts: Bool = true
    ) throws -> MailChannel {
        var settings = SMTPServer(
            host: "127.0.0.1", port: server.port, security: security, helloName: "example.com")
        if trusts, security != .none { settings.certificateBundle = server.caFile }
        var file: SecretFile?
        if let password {
            settings.username = "slipway"
            file = SecretFile(server.directory.file("password"))
            try "\(password)\n".write(toFile: server.directory.file("password"), atomically: true, encoding: .utf8)
        }
        return MailChannel(
            name: "mail", server: settings, password: file, from: try #require(MailAddress(from)),
            to: try to.map { try #require(MailAddress($0)) })
    }

    @Test(arguments: [(MailServer.Mode.startTLS, SMTPServer.Security.startTLS), (.tls, .tls)])
    func `mail goes by TLS with a login to several recipients`(
        _ mode: MailServer.Mode, _ security: SMTPServer.Security
    ) async throws {
        let server = try await MailServer(mode, wantsLogin: true)
        let channel = try Self.channel(
            server, security, to: ["Ops <ops@example.com>", "ann@example.org"], password: "s3cr3t-password")
        let receipt = try await channel.deliver([Samples.notice()])
        #expect(receipt == DeliveryReceipt(host: "127.0.0.1:\(server.port)", status: 250, answer: ""))
        let mail = try #require(try server.mails.first)
        #expect(mail.from == "slipway@example.com")
        #expect(mail.to == ["ops@example.com", "ann@example.org"])
        #expect(mail.user == "slipway")
        #expect(mail.helo == "example.com")
        let fields = try server.parsed(mail)
        #expect(fields["Subject"] == "[Slipway] shop: the build of web failed")
        #expect(fields["From"] == "Slipway <slipway@example.com>")
        #expect(fields["To"] == "Ops <ops@example.com>, ann@example.org")
        #expect(fields["text"]?.contains("exit code 7") == true)
        #expect(fields["text"]?.contains("https://slipway.example.com/builds/b1") == true)
        #expect(fields["Auto-Submitted"] == "auto-generated")
        #expect(fields["Date"] == "Mon, 21 Sep 2026 14:13:20 +0000")
        #expect(fields["defects"] == "[]")
    }

    /// Another password in the file counts for the next mail, and a wrong one is not told to anybody.
    @Test func `the password is read whenever it is needed`() async throws {
        let server = try await MailServer(.startTLS, wantsLogin: true)
        let channel = try Self.channel(server, .startTLS, password: "wr0ng-password")
        let error = try await #require(throws: DeliveryError.self) { try await channel.deliver([Samples.notice()]) }
        #expect(error.summary == "the mail server refuses the login")
        #expect(error.status == 535)
        #expect(error.retry == .never)
        #expect(!"\(error)".contains("wr0ng"))
        try "s3cr3t-password".write(toFile: server.directory.file("password"), atomically: true, encoding: .utf8)
        _ = try await channel.deliver([Samples.notice()])
        #expect(try server.mails.count == 1)
    }

    @Test func `texts forge no header, and hold nothing that ends the mail`() async throws {
        let server = try await MailServer(.plain)
        let channel = try Self.channel(server, .none, from: "Grüße, \"Slipway\" <slipway@example.com>")
        for notice in [
            Samples.hostileNotice, Samples.longest, Samples.notice(title: "=?utf-8?q?forged?="),
            Samples.notice(title: ""),
        ] {
            _ = try await channel.deliver([notice])
        }
        _ = try await channel.deliver(Array(repeating: Samples.longest, count: 20))
        let mails = try server.mails
        #expect(mails.count == 5)
        for mail in mails {
            #expect(mail.to == ["ops@example.com"])
            let fields = try server.parsed(mail)
            let names: Set = [
                "Date", "From", "To", "Subject", "Message-ID", "References", "Auto-Submitted",
                "X-Auto-Response-Suppress",
                "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "text", "defects",
            ]
            #expect(Set(fields.keys).isSubset(of: names))
            #expect(fields["defects"] == "[]")
            #expect(fields["From"]?.contains("Grüße") == true)
            for line in mail.content.components(separatedBy: "\r\n") {
                #expect(line.utf8.count <= 78)
                #expect(line.utf8.allSatisfy { (0x20..<0x7f).contains($0) || $0 == 0x09 })
            }
        }
        let hostile = try server.parsed(mails[0])
        #expect(hostile["Subject"]?.contains("<!everyone>") == true)
        #expect(hostile["text"]?.contains("\r\n.\r\nQUIT\r\n") == true)
        #expect(try server.parsed(mails[2])["Subject"] == "[Slipway] =?utf-8?q?forged?=")
        #expect(Set(try mails.map { try server.parsed($0)["Message-ID"] }).count == 5)
        #expect(try server.parsed(mails[4])["Subject"]?.contains("(and 19 more)") == true)
    }

    @Test(arguments: [("never@example.com", 550, false), ("later@example.com", 451, true)])
    func `a refusal is final, and greylisting is not`(_ to: String, _ reply: Int, _ mayPass: Bool) async throws {
        let server = try await MailServer(.plain)
        let error = try await #require(throws: DeliveryError.self) {
            try await Self.channel(server, .none, to: ["ops@example.com", to]).deliver([Samples.notice()])
        }
        #expect(error.status == reply)
        #expect(error.retry == (mayPass ? .later(after: nil) : .never))
        #expect(error.place == "127.0.0.1:\(server.port)")
        // To all or to none.
        #expect(try server.mails.isEmpty)
    }

    @Test func `without STARTTLS nothing is sent`() async throws {
        let server = try await MailServer(.plain)
        let error = try await #require(throws: DeliveryError.self) {
            try await Self.channel(server, .startTLS, trusts: false).deliver([Samples.notice()])
        }
        #expect(error.summary == "the mail server offers no STARTTLS")
        #expect(error.retry == .never)
        #expect(try server.mails.isEmpty)
    }

    @Test func `a certificate of nobody that is trusted is refused`() async throws {
        let server = try await MailServer(.tls)
        let error = try await #require(throws: DeliveryError.self) {
            try await Self.channel(server, .tls, trusts: false).deliver([Samples.notice()])
        }
        #expect(error.summary.contains("certificate"))
        #expect(error.hint?.contains("caFile") == true)
        #expect(try server.mails.isEmpty)
    }

    @Test func `a server that is away may come back`() async throws {
        let port = try Server.freePort()
        let channel = MailChannel(
            name: "mail", server: SMTPServer(host: "127.0.0.1", port: port, security: .none, helloName: "example.com"),
            password: nil, from: try #require(MailAddress("a@example.com")),
            to: [try #require(MailAddress("b@example.com"))])
        let error = try await #require(throws: DeliveryError.self) { try await channel.deliver([Samples.notice()]) }
        #expect(error.retry == .later(after: nil))
    }
}

@Suite(.tags(.unit)) struct MailAddressTests {
    @Test(
        arguments: [
            ("ops@example.com", nil, "ops@example.com"), ("Ops <ops@example.com>", "Ops", "ops@example.com"),
            ("\"Ops, Ann\" <o.p+s@example.com>", "Ops, Ann", "o.p+s@example.com"), ("<a@b>", nil, "a@b"),
        ] as [(String, String?, String)])
    func `what is an address`(_ text: String, _ name: String?, _ address: String) throws {
        let found = try #require(MailAddress(text))
        #expect(found.name == name)
        #expect(found.address == address)
    }

    @Test(arguments: [
        "", "ops", "@example.com", "ops@", "a@b@c", "a b@example.com", "ops@example.com\r\nRCPT TO:<x@y>", "a@b>,<c@d",
        "Ops <ops@example.com", "Ops\r\nBcc: x@y <ops@example.com>", "grüße@example.com", "a@exämple.com",
        "a@[127.0.0.1]",
        "\"a b\"@example.com",
    ])
    func `what is none`(_ text: String) { #expect(MailAddress(text) == nil) }

    @Test(arguments: [
        ("Subject: a\r\n\r\nb\n.\nc\r\n", "a@b", "c@d"), ("a\rb\r\n", "a@b", "c@d"), ("a\r", "a@b", "c@d"),
        ("a\r\n", "a@b\r\nRCPT TO:<x@y>", "c@d"), ("a\r\n", "a@b", "c@d>"), ("a\r\n", "a@b", "c d@e"),
    ])
    func `the client sends nothing that would be read as something else`(
        _ message: String, _ from: String, _ to: String
    ) async {
        let server = SMTPServer(host: "127.0.0.1", port: 1, security: .none, helloName: "x")
        let error = await #expect(throws: SMTPError.self) {
            try await SMTPClient.send(Array(message.utf8), from: from, to: [to], by: server)
        }
        #expect(error?.isTransient == false)
    }

    @Test func `no password goes without TLS`() async {
        var server = SMTPServer(host: "127.0.0.1", port: 1, security: .none, helloName: "x")
        server.username = "a"
        server.password = "b"
        let error = await #expect(throws: SMTPError.self) {
            try await SMTPClient.send([], from: "a@b", to: ["c@d"], by: server)
        }
        #expect(error?.summary == "a password is not sent without TLS")
    }
}
