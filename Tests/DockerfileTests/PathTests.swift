import Diagnostics
import TestSupport
import Testing

@testable import Dockerfile

/// Sections 8 and 9.
@Suite("Paths and patterns", .tags(.unit)) struct PathTests {
    @Test(
        "cleaning",
        arguments: [
            ("", "."), (".", "."), ("/", "/"), ("//a//b/", "/a/b"), ("a/./b", "a/b"), ("a/../b", "b"), ("../a", "../a"),
            ("/../a", "/a"), ("a/../..", ".."), ("/a/b/../..", "/"), ("./", "."), ("a/b/..", "a"),
        ])
    func clean(_ path: String, _ cleaned: String) { #expect(PathRules.clean(path) == cleaned) }

    @Test(
        "WORKDIR",
        arguments: [
            ("/", "a", "/a"), ("/a", "b/../c", "/a/c"), ("/a", "/b/", "/b/"), ("/a", "/b/../c", "/b/../c"),
            ("", "x", "/x"),
            ("/a/", "b", "/a/b"), ("/a", "..", "/"), ("/a", "", "/a"), ("rel", "b", "/rel/b"), ("", "", "/"),
        ])
    func workdir(_ current: String, _ path: String, _ result: String) {
        #expect(PathRules.workingDirectory(path, from: current) == result)
    }

    @Test(
        "destinations",
        arguments: [
            ("/w", "x", "/w/x", false), ("/w", "x/", "/w/x", true), ("/w", ".", "/w", true), ("/w", "", "/w", true),
            ("/w", "./", "/w", true), ("/w", "/a/.", "/a", true), ("/w", "/a//b/", "/a/b", true),
            ("/w", "..", "/", true),
            ("/w", "/", "/", true), ("", "x", "/x", false), ("/w/", "a/b", "/w/a/b", false),
        ])
    func destination(_ directory: String, _ path: String, _ result: String, _ isDirectory: Bool) {
        #expect(PathRules.destination(path, in: directory) == .init(path: result, isDirectory: isDirectory))
    }

    @Test(
        "sources are clamped to their root",
        arguments: [
            ("a", "a"), ("/a/", "a"), ("../../a", "a"), (".", ""), ("/", ""), ("a/../../b", "b"), ("./a//b", "a/b"),
        ])
    func source(_ path: String, _ result: String) { #expect(PathRules.source(path) == result) }

    @Test(
        "--parents",
        arguments: [("a/b/c", "", "a/b/c"), ("a/./b/c", "a", "b/c"), ("./a", "", "a"), ("/x/./y/./z", "x", "y/z")])
    func pivot(_ source: String, _ base: String, _ pattern: String) {
        let result = PathRules.pivot(source)
        #expect(result.base == base)
        #expect(result.pattern == pattern)
    }

    @Test("last elements", arguments: [("/a/b", "b"), ("a/", "a"), ("/", "/"), ("", "."), ("x", "x")])
    func base(_ path: String, _ name: String) { #expect(PathRules.base(path) == name) }

    @Test(
        "globs",
        arguments: [
            ("a", "a", true), ("*", "abc", true), ("*", "", true), ("*", "a/b", false), ("*/*", "a/b", true),
            ("*c", "abc", true), ("a*", "abc", true), ("a*/b", "abc/b", true), ("a*b*c*d", "axbxcxd", true),
            ("a*b?c*x", "abxbbxdbxebxczzx", true), ("a*b?c*x", "abxbbxdbxebxczzy", false), ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true), ("ab[e-g]", "abc", false), ("ab[^c]", "abc", false), ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true), ("a\\*b", "ab", false), ("a?b", "a☺b", true), ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("a?b", "a/b", false), ("a*b", "a/b", false), ("[\\]a]", "]", true), ("[\\-]", "-", true),
            ("[x\\-]", "-", true),
            ("[-x]", "x", nil), ("[]a]", "]", nil), ("[", "a", nil), ("[^", "a", nil), ("[a", "a", nil),
            ("a[", "a", nil),
            ("[a-]", "a", nil), ("\\", "a", nil), ("*[", "b", nil), ("[]", "a", nil), (".*", ".x", true),
            ("*", ".x", true),
            ("**", "a/b", false), ("**", "ab", true), ("[z-a]", "z", false), ("[a-ck-m]", "l", true),
            ("a/b", "a/c", false),
            ("é*", "e\u{301}x", false), ("", "", true), ("", "a", false), ("?", "", false),
        ] as [(String, String, Bool?)])
    func globs(_ pattern: String, _ path: String, _ matches: Bool?) {
        #expect((try? GlobMatch(pattern))?.matches(path) == matches)
    }

    @Test("globs tell where to descend")
    func descend() throws {
        let glob = try GlobMatch("a*/b/c")
        #expect(glob.mayMatchBelow(Array("ax".utf8)) && glob.mayMatchBelow(Array("ax/b".utf8)))
        #expect(!glob.mayMatchBelow(Array("x".utf8)) && !glob.mayMatchBelow(Array("ax/b/c".utf8)))
        #expect(GlobMatch.hasWildcards("a[") && !GlobMatch.hasWildcards("a\\*") && GlobMatch.hasWildcards("a\\\\*"))
    }

    /// `patterns (blank-separated) | excluded | kept`
    @Test(
        "ignore patterns",
        arguments: [
            "foo | foo foo/bar foo/a/b | bar a/foo foobar", "/foo | foo | a/foo", "foo/ | foo foo/x | bar",
            "*.go | a.go .go | a/b.go a.gox", "**/*.go | a.go x/a.go x/y/a.go | a.goo",
            "**/foo | foo a/foo a/b/foo/c | foox xfoo",
            "**foo | foo xfoo a/xfoo | foox", "foo/** | foo/a foo/a/b | foo foox",
            "a/**/b | a/b a/x/b a/x/y/b | ab a/xb",
            "a**/b | a/b ax/b a/x/b | b", "** | a a/b .x |", "* | a a/b | ", "*/* | a/b a/b/c | a",
            "a?c | abc | ac a/c",
            "a[bc]d | abd acd | aed", "a\\*b | a*b | axb", "dir !dir/keep | dir/x dir | dir/keep dir/keep/y",
            "dir/* !dir/keep | dir/x dir/x/y | dir dir/keep", "!dir/keep dir | dir/keep dir | x",
            "* !*.md | a b/c | a.md",
            "*.md !README*.md README-secret.md | x.md README-secret.md | README.md README1.md",
            "a/../b | b | a", "./a | a | b", ". | | a b", "/ | | a", ".. | | a", "a//b/ | a/b a/b/c | a",
            "**/.git | .git a/.git .git/config | .gitignore", "**/a/** | a/b x/a/b | a x", "*** | a a/b |",
            "a.b | a.b | axb", "a+(b) | a+(b) | ab", "**/*.tmp !**/keep.tmp | a.tmp x/b.tmp | keep.tmp x/keep.tmp",
            "x* !x1 x1/y | x2 x1/y x1/y/z | x1 x1/z", "Foo | Foo | foo",
        ])
    func ignore(_ line: String) throws {
        let parts = line.split(separator: "|", omittingEmptySubsequences: false).map { part in
            part.split(separator: " ").map(String.init)
        }
        let file = parts[0].joined(separator: "\n")
        let matcher = try IgnoreMatcher(file: Array(file.utf8))
        for path in parts[1] { #expect(matcher.excludes(path), "\(path) is excluded by \(parts[0])") }
        for path in parts[2] { #expect(!matcher.excludes(path), "\(path) is kept by \(parts[0])") }
    }

    @Test("lines of an ignore file")
    func ignoreFile() throws {
        let matcher = try IgnoreMatcher(file: Array("\u{feff}# c\n  a  \r\n\n #b\n! c\n".utf8))
        #expect(matcher.excludes("a") && matcher.excludes("#b") && !matcher.excludes("# c"))
        #expect(matcher.hasNegations)
        #expect(try IgnoreMatcher(file: []).isEmpty)
        for (text, line) in [("!", 1), ("a\n!  \n", 2), ("a\n\n[", 3), ("a[", 1), ("x\\", 1)] {
            do {
                _ = try IgnoreMatcher(file: Array(text.utf8))
                Issue.record("\(text) should fail")
            } catch {
                #expect(error.code == .pattern)
                #expect(error.location?.line == line)
            }
        }
        #expect(throws: DockerfileError.self) { try IgnoreMatcher(patterns: ["!"]) }
        #expect(try IgnoreMatcher(patterns: ["**/*.o", "!k.o"]).excludes("a/b.o"))
        for (pattern, path, isExcluded) in [
            ("a", "a/b/c", true), ("a/b", "a/b/c", true), ("a/b", "a/bc", false), ("a/b/c", "a/b", false),
            ("**/b", "a/b/c", true), ("**/b", "b/c", true), ("**/b", "a/bc/b2", false), ("**b", "ab/c", true),
            ("**b", "abc/d", false), ("a/**", "a/b", true), ("a/**", "a", false), ("a?", "ab/c/d", true),
            ("*/b", "a/b/c", true), ("*/b", "a/c/b", false), ("a*/c", "ab/c/d/e", true), ("**", "a/b", true),
        ] {
            #expect(try IgnoreMatcher(patterns: [pattern]).excludes(path) == isExcluded, "\(pattern) \(path)")
        }
    }

    @Test("names that are no UTF-8 do not trap")
    func bytes() throws {
        let matcher = try IgnoreMatcher(patterns: ["a*", "**/b?"])
        #expect(matcher.excludes([0x61, 0xff]))
        #expect(matcher.excludes([0xfe, 0x2f, 0x62, 0xff]))
        #expect(try GlobMatch("*").matches([0xff]))
    }

    @Test("matching is not exponential")
    func hostilePatterns() throws {
        let name = String(repeating: "a", count: 2000)
        #expect(!(try GlobMatch(String(repeating: "a*", count: 1000) + "b").matches(name)))
        #expect(!(try GlobMatch(String(repeating: "*a", count: 1000) + "?b").matches(name)))
        let path = Array(repeating: "a", count: 300).joined(separator: "/")
        #expect(!(try IgnoreMatcher(patterns: [String(repeating: "**/a/", count: 50) + "b"]).excludes(path)))
        #expect(!(try IgnoreMatcher(patterns: [String(repeating: "**a", count: 100) + "b?"]).excludes(path)))
    }

    @Test(
        "modes",
        arguments: [
            ("644", 0o755, false, 0o644), ("0", 0o777, true, 0), ("7777", 0, false, 0o7777),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o600, true, 0o755), ("u=rwX,go=rX", 0o700, false, 0o755), ("+x", 0o644, false, 0o755),
            ("a-w", 0o666, false, 0o444),
            ("g=u", 0o640, false, 0o660), ("go=", 0o777, false, 0o700), ("u+s", 0o755, false, 0o4755),
            ("g+s", 0o755, false, 0o2755),
            ("+t", 0o755, true, 0o1755), ("o=g-w", 0o774, false, 0o775), ("u-x,g+w", 0o755, false, 0o675),
            ("=r", 0o777, false, 0o444),
            ("u=", 0o4755, false, 0o055), ("o+X", 0o754, false, 0o755),
            // Where BuildKit is not GNU's chmod: `o` has no sticky bit, `t` is a class of its own, and copies are of permissions alone.
            ("o+t", 0o641, false, 0o641), ("o-t", 0o3641, false, 0o3641), ("o=st", 0o7777, false, 0o7770),
            ("ug+s,o+t", 0o641, false, 0o6641), ("u+t", 0o641, false, 0o1641), ("a+st", 0o641, false, 0o7641),
            ("=t", 0o3641, false, 0o3641), ("+st", 0o3641, false, 0o3641), ("+ts", 0o641, false, 0o1641),
            ("g=u-w", 0o3641, false, 0o3641), ("u=rwx,g=u,o=g", 0o3641, false, 0o3777), ("a=u", 0o3641, false, 0o3666),
            ("u=g-x+X", 0o7777, false, 0o7777), ("u=g-x+X", 0o641, false, 0o541), ("-t", 0o3641, false, 0o2641),
            ("=X", 0o641, false, 0o111), ("u=X", 0o7777, false, 0o3177), ("u=s,o=", 0o641, false, 0o4040),
        ] as [(String, UInt32, Bool, UInt32)])
    func modes(_ text: String, _ mode: UInt32, _ isDirectory: Bool, _ result: UInt32) throws {
        #expect(try FileModeChange(text).apply(to: mode, isDirectory: isDirectory) == result)
    }

    @Test("wrong modes", arguments: ["", "8", "77777", "u", "z+x", "u+z", "u=rw,", "a b", "0x1", "-1", "644x", "u+w8"])
    func wrongModes(_ text: String) {
        #expect(throws: DockerfileError.self) { try FileModeChange(text) }
    }

    @Test(
        "sources of ADD",
        arguments: [
            ("a/b", AddSource.local("a/b")), ("http.txt", .local("http.txt")),
            ("https://x/y.tar", .url("https://x/y.tar")),
            ("HTTP://x/y", .url("HTTP://x/y")), ("a@b", .local("a@b")), ("a b@c:d", .local("a b@c:d")),
            ("https://x/y.git", .git(.init(remote: "https://x/y.git"))),
            ("https://x/y.git#v1:sub", .git(.init(remote: "https://x/y.git", reference: "v1", folder: "sub"))),
            ("https://x/y.git#:sub", .git(.init(remote: "https://x/y.git", folder: "sub"))),
            ("git@github.com:a/b", .git(.init(remote: "git@github.com:a/b"))),
            ("git@github.com:a/b.git#main", .git(.init(remote: "git@github.com:a/b.git", reference: "main"))),
            ("ssh://git@h/a", .git(.init(remote: "ssh://git@h/a"))), ("git://h/a", .git(.init(remote: "git://h/a"))),
            (
                "https://x/y.git?ref=v2&subdir=s&keep-git-dir=true&submodules=false&checksum=abc",
                .git(
                    .init(
                        remote: "https://x/y.git", reference: "v2", folder: "s", checksum: "abc",
                        keepsGitDirectory: true,
                        fetchesSubmodules: false))
            ),
        ])
    func addSources(_ text: String, _ source: AddSource) { #expect(AddSource(text) == source) }
}
