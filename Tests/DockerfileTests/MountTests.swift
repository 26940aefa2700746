import TestSupport
import Testing

@testable import Dockerfile

@Suite("RUN --mount", .tags(.unit)) struct MountTests {
    private func mount(_ text: String) throws -> RunMount {
        guard case .run(let run) = try kind("RUN --mount=\(text) x") else { throw WrongCount(text: text, count: 0) }
        return run.mounts[0]
    }

    private func make(_ kind: RunMount.Kind, _ change: (inout RunMount) -> Void) -> RunMount {
        var mount = RunMount()
        mount.kind = kind
        mount.isReadOnly = kind != .cache && kind != .tmpfs
        change(&mount)
        return mount
    }

    @Test("options of each type")
    func options() throws {
        #expect(try mount("target=/a") == make(.bind) { $0.target = "/a" })
        #expect(
            try mount("type=bind,dst=/a,src=b,from=c,rw")
                == make(.bind) {
                    ($0.target, $0.source, $0.from, $0.isReadOnly) = ("/a", "b", "c", false)
                })
        #expect(
            try mount("destination=/a,readonly=false") == make(.bind) { ($0.target, $0.isReadOnly) = ("/a", false) })
        #expect(try mount("target=/a,readwrite=0") == make(.bind) { $0.target = "/a" })
        #expect(try mount("TYPE=Cache,Target=/a") == make(.cache) { $0.target = "/a" })
        #expect(
            try mount("type=cache,id=i,target=/a,ro,sharing=locked,mode=0700,uid=1,gid=2,source=s,from=f")
                == make(.cache) {
                    ($0.id, $0.target, $0.isReadOnly, $0.sharing) = ("i", "/a", true, .locked)
                    ($0.mode, $0.uid, $0.gid, $0.source, $0.from) = (0o700, 1, 2, "s", "f")
                })
        #expect(try mount("type=tmpfs,target=/a,size=10m") == make(.tmpfs) { ($0.target, $0.size) = ("/a", 10 << 20) })
        #expect(
            try mount("type=secret,id=i,target=/a,required,mode=0440,uid=1,gid=2,env=E")
                == make(.secret) {
                    ($0.id, $0.target, $0.isRequired, $0.environment) = ("i", "/a", true, "E")
                    ($0.mode, $0.uid, $0.gid) = (0o440, 1, 2)
                })
        #expect(try mount("type=ssh,required=true") == make(.ssh) { $0.isRequired = true })
        #expect(try mount("required,id=x,type=secret").isRequired)
        #expect(try mount("'type=bind,\"target=/a,b\"'").target == "/a,b")
        #expect(try mount("type=bind,target='/a b'").target == "/a b")
    }

    @Test(
        "refused",
        arguments: [
            "type=foo", "foo=bar", "foo", "target", "type=bind,size=1m", "type=cache,size=1m", "type=bind,required",
            "type=cache,required=true", "type=bind,sharing=shared", "type=cache,sharing=foo", "type=bind,mode=1",
            "type=tmpfs,uid=1", "type=bind,gid=1", "type=cache,mode=9", "type=cache,uid=x", "type=cache,uid=-1",
            "ro=maybe", "type=secret", "type=secret,id=a,src=b", "type=secret,id=a,from=b", "type=tmpfs,size=x",
            "type=tmpfs,size=-1", "from=$x,target=/a", "type=secret,id=a,required=x", "'\"type=bind'", "", "type=",
            "type=cache,uid=99999999999",
        ])
    func refused(_ text: String) {
        #expect(failure("FROM scratch\nRUN --mount=\(text) x")?.code == .mount)
    }

    @Test("values expand, from does not")
    func variables() throws {
        let run = try instructions("RUN --mount=type=$t,from=base,target=\"$d\"/x y")[0]
        guard case .run(let value) = try run.expanded({ ["t": "cache", "d": "/v"][$0] }).instruction.kind else {
            throw WrongCount(text: "", count: 0)
        }
        #expect(value.mounts == [make(.cache) { ($0.from, $0.target) = ("base", "/v/x") }])
        #expect(throws: DockerfileError.self) { try run.expanded { _ in "junk" } }
    }

    @Test("names and places that follow from others")
    func derived() throws {
        #expect(try mount("type=secret,target=/a/b").secretID == "b")
        #expect(try mount("type=secret,src=s").secretID == "s")
        #expect(try mount("type=secret,id=a/b").secretTarget == "/run/secrets/b")
        #expect(try mount("type=secret,id=a,env=E").secretTarget == nil)
        #expect(try mount("type=secret,id=a,env=E,target=/x").secretTarget == "/x")
        #expect(try mount("type=cache,target=/a/../b/").cacheID == "/b")
        #expect(try mount("type=cache,target=x").target(in: "/w") == "/w/x")
        #expect(try mount("type=cache,target=/x/").target(in: "/w") == "/x")
        #expect(throws: DockerfileError.self) { try mount("target=/").target(in: "/w") }
        #expect(throws: DockerfileError.self) { try mount("target=..").target(in: "/w") }
    }

    @Test(
        "sizes",
        arguments: [
            ("1", 1), ("1b", 1), ("1k", 1024), ("1K", 1024), ("1kb", 1024), ("1KiB", 1024), ("1.5m", 1_572_864),
            ("2g", 2 << 30), ("1t", 1 << 40), ("10 m", 10 << 20), ("x", nil), ("", nil), ("1x", nil), ("-1", nil),
            ("99999999999999p", nil),
        ] as [(String, Int64?)])
    func sizes(_ text: String, _ bytes: Int64?) {
        #expect(GoValue.binarySize(text) == bytes)
    }
}
