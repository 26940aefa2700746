import TestSupport
import Testing

@testable import Agent

/// Which changes of a file trailers account for.
@Suite(.tags(.unit)) struct OwnChangeTests {
    private static func accounts(
        _ old: String, _ new: String, _ told: [(String, String)] = [("acme/web:v1", "acme/web:v2")]
    ) -> Bool {
        OwnChange.accounts(
            for: Array(old.utf8), becoming: Array(new.utf8),
            by: told.map {
                CommitTrailer.Change(file: "f", workload: "w", container: "c", old: $0.0, new: $0.1)
            })
    }

    @Test(arguments: [
        ("image: acme/web:v1\n", "image: acme/web:v2\n"),
        ("image: acme/web:v1   # why\r\n", "image: acme/web:v2   # why\r\n"),
        // A part in a place of its own, with the quotes that it needs there.
        ("newTag: v1\n", "newTag: v2\n"), ("newTag: v1\n", "newTag: \"v2\"\n"), ("newTag: 'v1'\n", "newTag: v2\n"),
        (#"{"image":"acme/web:v1","x":1}"#, #"{"image":"acme/web:v2","x":1}"#),
        ("a: acme/web:v1\nb: [acme/web:v1, x]\n", "a: acme/web:v2\nb: [acme/web:v2, x]\n"),
        ("same\n", "same\n"), ("", ""),
    ])
    func `a value that is told, and its parts`(_ old: String, _ new: String) {
        #expect(Self.accounts(old, new))
    }

    @Test(arguments: [
        // Another value, the other way round, more than the value.
        ("image: acme/web:v1\n", "image: acme/web:v3\n"), ("image: acme/web:v2\n", "image: acme/web:v1\n"),
        ("image: acme/web:v1\n", "image: acme/web:v2 \n"), ("image: acme/web:v1\n", "image: acme/web:v2\nmore: 1\n"),
        ("image: acme/web:v1\nx: 1\n", "image: acme/web:v2\nx: 2\n"),
        ("image: acme/web:v1 # a\n", "image: acme/web:v2 # b\n"),
        ("image: acme/web:v1\nx: 1\n", "image: acme/web:v2\n"), ("a: b\n", "a: c\n"), ("", "x"),
        ("image: acme/web:v1\n", "imag: acme/web:v2\n"),
    ])
    func `all else is a person's`(_ old: String, _ new: String) {
        #expect(!Self.accounts(old, new))
    }

    @Test func `digests and new names`() {
        #expect(
            Self.accounts(
                "image: a/b:1@sha256:aa\ntag: 1@sha256:aa\ndigest: sha256:aa\n",
                "image: a/b:2@sha256:bb\ntag: 2@sha256:bb\ndigest: sha256:bb\n",
                [("a/b:1@sha256:aa", "a/b:2@sha256:bb")]))
        #expect(Self.accounts("repository: a/b\ntag: 1\n", "repository: c/b\ntag: 2\n", [("a/b:1", "c/b:2")]))
    }

    @Test func `a file that came or went is nobody's value`() {
        #expect(!OwnChange.accounts(for: nil, becoming: [], by: []))
        #expect(!OwnChange.accounts(for: [], becoming: nil, by: []))
    }
}
