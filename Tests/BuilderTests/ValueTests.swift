import OCI
import TestSupport
import Testing

@testable import Builder

@Suite(.tags(.unit)) struct ValueTests {
    @Test func findsUsers() throws {
        let lookup = UserLookup(
            passwd: "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n",
            group: "root:x:0:\nextra:x:2000:app,other\n")
        let app = try lookup.account("app")
        #expect(app.uid == 1000 && app.gid == 1001 && app.groups == [2000] && app.home == "/home/app")
        let number = try lookup.account("1000")
        #expect(number.gid == 1001 && number.groups == [2000])
        let unknown = try lookup.account("4242")
        #expect(unknown.uid == 4242 && unknown.gid == 0 && unknown.home == "/")
        let grouped = try lookup.account("app:extra")
        #expect(grouped.gid == 2000 && grouped.groups.isEmpty)
        #expect(throws: BuildError.self) { try lookup.account("nobody") }
        #expect(lookup.owner("app") == (1000, 1001))
        #expect(lookup.owner("7") == (7, 7))
        #expect(lookup.owner("nobody:extra") == (0, 2000))
        // As BuildKit gives them.
        for (text, owner) in [
            ("7:ghost", (7, 7)), ("app:ghost", (1000, 1001)), ("ghost", (0, 0)), ("ghost:ghost", (0, 0)),
            (":ghost", (0, 0)), (":extra", (0, 2000)), ("app:", (1000, 0)), ("7:", (7, 0)), (":", (0, 0)),
            ("7:4294967296", (7, 7)), ("4294967296", (0, 0)), ("-1", (0, 0)),
        ] as [(String, (UInt32, UInt32))] {
            #expect(lookup.owner(text) == owner, "\(text)")
        }
    }

    @Test func cleansPaths() {
        #expect(ImagePath("/a//b/./../c/").text == "/a/c")
        #expect(ImagePath("../../etc").text == "/etc")
        var state = StageState(config: .init(), author: nil)
        state.config.workingDir = "/srv/app"
        #expect(state.absolute(".") == "/srv/app/")
        #expect(state.absolute("x/") == "/srv/app/x/")
        #expect(state.absolute("/x/../y") == "/y")
        #expect(state.absolute("/") == "/")
    }

    /// Another text here would give every step with such a mount another key: images would be made anew for nothing.
    @Test(arguments: [
        (StepMount.Kind.tmpfs(size: nil), "tmpfs(size: nil)"),
        (.tmpfs(size: 5), "tmpfs(size: Optional(5))"),
        (
            .ssh(SSHMount(id: "a\"b\\é\n", access: MountAccess(mode: 0o600, uid: 1, gid: 2), isRequired: true)),
            #"ssh(id: "a\"b\\é\n", mode: 384, uid: 1, gid: 2, isRequired: true)"#
        ),
        (
            .secret(SecretMount(id: "x", access: MountAccess(mode: 0o400, uid: 0, gid: 0), isRequired: false)),
            #"secret(id: "x", variable: nil, mode: 256, uid: 0, gid: 0, isRequired: false)"#
        ),
        (
            .secret(
                SecretMount(id: "x", variable: "V", access: MountAccess(mode: 0o440, uid: 3, gid: 4), isRequired: true)),
            #"secret(id: "x", variable: Optional("V"), mode: 288, uid: 3, gid: 4, isRequired: true)"#
        ),
    ]) func `mounts keep what stands for them in keys`(mount: StepMount.Kind, text: String) {
        #expect(mount.keyText == text)
    }
}
