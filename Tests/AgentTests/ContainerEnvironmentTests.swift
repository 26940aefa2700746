import ManifestUpdater
import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct ContainerEnvironmentTests {
    private func environment(_ env: String, more: String = "") throws -> ContainerEnvironment {
        let text = """
            kind: Pod
            metadata: {name: p}
            spec:
              containers:
              - name: c
                env: [\(env)]
                \(more)
            """
        let pods = try PodSpecReader.pods(in: Array(text.utf8), file: "p.yaml")
        return ContainerEnvironment(try #require(pods.first?.containers.first))
    }

    /// The cases of Kubernetes' own table (`expand_test.go`), with its variables.
    @Test(arguments: [
        ("$(VAR_A)", "A"), ("___$(VAR_B)___", "___B___"), ("___$(VAR_C)", "___C"), ("$(VAR_A)-$(VAR_A)", "A-A"),
        ("$(VAR_A)-1", "A-1"), ("$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"), ("$$(VAR_A)", "$(VAR_A)"),
        ("$$$(VAR_A)", "$A"), ("$$$$(VAR_A)", "$$(VAR_A)"), ("$VAR_A", "$VAR_A"), ("${VAR_A}", "${VAR_A}"),
        ("$(VAR_EMPTY)", ""), ("foo$(VAR_EMPTY)bar", "foobar"), ("$(VAR_REF)", "A"),
        ("%%$(VAR_REF)--$(VAR_REF)%%", "%%A--A%%"),
        ("foo$(VAR_EMPTY)bar$(VAR_A)", "foobarA"), ("$?_boo_$!", "$?_boo_$!"), ("$", "$"), ("$$", "$"), ("$$$", "$$"),
        ("$(", "$("), ("$(VAR_A", "$(VAR_A"), ("$()", "$()"), ("$(VAR_DNE)", "$(VAR_DNE)"),
        ("$$(VAR_DNE)$(VAR_A)", "$(VAR_DNE)A"), ("$((VAR_A))", "$((VAR_A))"), ("\\$(VAR_A)", "\\A"), ("a$é", "a$é"),
        ("$(VAR_LATER)", "$(VAR_A_LATER)"), ("$(VAR_TWICE)", "second"), ("$(VAR_SELF)", "$(VAR_SELF)x"),
    ])
    func `references are expanded as the kubelet does`(text: String, expected: String) throws {
        let environment = try environment(
            """
            {name: VAR_A, value: A}, {name: VAR_B, value: B}, {name: VAR_C, value: C}, {name: VAR_REF, value: $(VAR_A)},
                  {name: VAR_EMPTY, value: ""}, {name: VAR_LATER, value: $(VAR_A_LATER)}, {name: VAR_A_LATER, value: x},
                  {name: VAR_TWICE, value: first}, {name: VAR_TWICE, value: second}, {name: VAR_SELF, value: $(VAR_SELF)x}
            """)
        let expanded = environment.expand(text)
        #expect(expanded.text == expected)
        #expect(expanded.unknown.isEmpty)
    }

    @Test(arguments: [
        ("$(TOKEN)", ["TOKEN"], "valueFrom"), ("a$(DERIVED)b$(TOKEN)", ["TOKEN", "TOKEN"], "refers to $(TOKEN)"),
        ("$(WEB_SERVICE_HOST):$(WEB_SERVICE_PORT_HTTP)", ["WEB_SERVICE_HOST", "WEB_SERVICE_PORT_HTTP"], "Service"),
    ])
    func `what only the cluster knows`(text: String, variables: [String], reason: String) throws {
        let environment = try environment(
            "{name: TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: DERIVED, value: x-$(TOKEN)}, {name: A, value: a}"
        )
        let expanded = environment.expand(text)
        #expect(expanded.unknown.compactMap(\.variable) == variables)
        #expect(expanded.unknown.first?.reason.contains(reason) == true)
        #expect(expanded.text.count { $0 == ContainerEnvironment.placeholder } == variables.count)
    }

    @Test func `with envFrom, a name that is not given is not known`() throws {
        let environment = try environment(
            "{name: A, value: a}, {name: B, value: $(X)}", more: "envFrom: [{configMapRef: {name: m}}]")
        #expect(environment.expand("$(A)$$(X)") == .init(text: "a$(X)"))
        #expect(environment.expand("$(X)").unknown.first?.reason.contains("p.yaml:7") == true)
        #expect(environment.expand("$(B)").unknown.first?.variable == "X")
    }

    @Test func `variables that double each other do not grow without an end`() throws {
        let doubling = (1...60).map { "{name: V\($0), value: \"$(V\($0 - 1))$(V\($0 - 1))\"}" }
        let environment = try environment("{name: V0, value: xxxxxxxx}, " + doubling.joined(separator: ", "))
        #expect(environment.expand("$(V3)").text.count == 64)
        let expanded = environment.expand("$(V60)")
        #expect(expanded.unknown.count == 1)
        #expect(expanded.text.utf8.count < 10)
    }
}
