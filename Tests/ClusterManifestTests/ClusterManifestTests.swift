import Agent
import Foundation
import TestSupport
import Testing

@Suite(.tags(.integration)) struct ClusterManifestTests {
    private static let overlays = [
        "apparmor", "host-users", "openshift", "persistent", "plain-registry", "restricted", "root", "selinux", "user",
    ]

    @Test(arguments: ["base"] + overlays.map { "overlays/\($0)" })
    func `kustomize renders what Kubernetes accepts`(directory: String) throws {
        let yaml = try Cluster.kustomize(directory)
        #expect(try Cluster.problems(yaml, "kubernetes") == [])
        let kinds = try Cluster.json(yaml).compactMap { $0["kind"] as? String }
        for kind in [
            "Namespace", "ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Deployment", "Service", "NetworkPolicy",
        ] {
            #expect(kinds.contains(kind), "\(kind)")
        }
        // A cluster without a StorageClass starts it.
        let asksForVolume = ["overlays/persistent", "overlays/plain-registry"].contains(directory)
        #expect(kinds.contains("PersistentVolumeClaim") == asksForVolume)
    }

    @Test func `every overlay is tested`() throws {
        let found = try FileManager.default.contentsOfDirectory(atPath: Cluster.root + "/config/cluster/overlays")
        #expect(found.sorted() == Self.overlays)
    }

    @Test(arguments: [
        ("user", ["securityProfile=user"]), ("root", ["securityProfile=root"]),
        ("restricted", ["securityProfile=restricted"]), ("host-users", ["securityProfile=hostUsers"]),
        ("openshift", ["securityProfile=openshift"]), ("apparmor", ["appArmorProfile=Unconfined"]),
        ("selinux", ["podSecurityContext.seLinuxOptions.type=container_engine_t"]),
    ])
    func `an overlay is what the chart's values say`(overlay: String, settings: [String]) throws {
        func contexts(_ objects: [[String: Any]]) throws -> [String] {
            let pod = value(objects.first { $0["kind"] as? String == "Deployment" }, "spec", "template", "spec")
            let parts = [
                value(pod, "securityContext"), value(pod, "containers", 0, "securityContext"), value(pod, "hostUsers"),
            ]
            return try parts.map { part in
                guard let part, !(part is NSNull) else { return "" }
                let options: JSONSerialization.WritingOptions = [.sortedKeys, .fragmentsAllowed]
                return String(
                    decoding: try JSONSerialization.data(withJSONObject: part, options: options), as: UTF8.self)
            }
        }
        let patched = try contexts(try Cluster.json(try Cluster.kustomize("overlays/\(overlay)")))
        #expect(patched == (try contexts(try Helm.objects(settings))))
        #expect(!patched[1].isEmpty)
    }

    @Test func `install.yaml is valid, and needs one Secret`() throws {
        let yaml = try Cluster.text("config/install.yaml")
        #expect(try Cluster.problems(yaml, "kubernetes") == [])
        let objects = try Cluster.json(yaml)
        #expect(!objects.contains { ["ConfigMap", "Secret"].contains($0["kind"] as? String ?? "") })
        let pod = value(objects.first { $0["kind"] as? String == "Deployment" }, "spec", "template", "spec")
        let secrets = (value(pod, "volumes") as? [Any] ?? []).compactMap {
            value($0, "secret", "secretName") as? String
        }
        #expect(secrets == ["slipway-config"])
        #expect(!objects.contains { ($0["kind"] as? String ?? "").hasPrefix("ClusterRole") })
    }

    @Test(arguments: ["secret-git", "secret-registry"])
    func `the examples of Secrets are valid`(name: String) throws {
        let yaml = try Cluster.text("config/cluster/examples/\(name).yaml")
        #expect(try Cluster.problems(yaml, "kubernetes") == [])
        let secret = try #require(try Cluster.json(yaml).first)
        if let text = value(secret, "stringData", ".dockerconfigjson") as? String {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
        }
    }

    @Test(arguments: ["build", "deployment"])
    func `the demonstration's manifests are valid`(name: String) throws {
        #expect(try Cluster.problems(try Cluster.text("config/demo/deploy/\(name).yaml"), "kubernetes") == [])
    }

    @Test(arguments: ["base", "overlays/plain-registry"])
    func `pods are given no more than they need`(directory: String) throws {
        let objects = try Cluster.json(try Cluster.kustomize(directory))
        let deployments = objects.filter { $0["kind"] as? String == "Deployment" }
        #expect(deployments.count == (directory == "base" ? 1 : 2))
        for deployment in deployments {
            let pod = value(deployment, "spec", "template", "spec")
            // The agent writes Events; nobody else talks to the API server.
            let isAgent = value(deployment, "metadata", "name") as? String == "slipway"
            #expect(value(pod, "automountServiceAccountToken") as? Bool == isAgent)
            #expect(value(pod, "securityContext", "runAsNonRoot") as? Bool == true)
            for key in ["hostNetwork", "hostPID", "hostIPC"] { #expect(value(pod, key) == nil) }
            for volume in value(pod, "volumes") as? [Any] ?? [] {
                #expect(value(volume, "hostPath") == nil, "no directory of the node, and so no daemon's socket")
            }
            for container in value(pod, "containers") as? [Any] ?? [] {
                #expect(value(container, "securityContext", "privileged") == nil)
                #expect(value(container, "securityContext", "readOnlyRootFilesystem") as? Bool == true)
                #expect(value(container, "securityContext", "capabilities", "drop") as? [String] == ["ALL"])
                let added = value(container, "securityContext", "capabilities", "add") as? [String] ?? []
                #expect(Set(added).isSubset(of: ["SETUID", "SETGID"]))
                #expect(value(container, "livenessProbe", "httpGet") != nil)
                #expect(value(container, "readinessProbe", "httpGet") != nil)
                #expect(value(container, "resources", "limits", "memory") != nil)
                let image = try #require(value(container, "image") as? String)
                let tag = try #require(image.split(separator: "/").last?.split(separator: ":").dropFirst().first)
                #expect(tag != "latest", "the image is pinned")
            }
        }
        for role in objects where role["kind"] as? String == "Role" {
            #expect(role.rights == Set(ClusterRight.all.filter { $0.feature == .events }.map(\.shown)))
        }
        #expect(!objects.contains { ($0["kind"] as? String ?? "").hasPrefix("ClusterRole") })
    }

    @Test(arguments: ["base", "overlays/plain-registry"])
    func `what refers to something refers to what is there`(directory: String) throws {
        let objects = try Cluster.json(try Cluster.kustomize(directory))
        func names(_ kind: String) -> Set<String> {
            Set(
                objects.filter { $0["kind"] as? String == kind }.compactMap { value($0, "metadata", "name") as? String }
            )
        }
        for object in objects where object["kind"] as? String != "Namespace" {
            #expect(value(object, "metadata", "namespace") as? String == "slipway")
        }
        for deployment in objects where deployment["kind"] as? String == "Deployment" {
            let labels = value(deployment, "spec", "template", "metadata", "labels") as? [String: String] ?? [:]
            let name = try #require(value(deployment, "metadata", "name") as? String)
            let service = objects.first {
                $0["kind"] as? String == "Service" && value($0, "metadata", "name") as? String == name
            }
            let selector = value(service, "spec", "selector") as? [String: String] ?? ["": ""]
            #expect(selector.allSatisfy { labels[$0.key] == $0.value })
            let pod = value(deployment, "spec", "template", "spec")
            let volumes = value(pod, "volumes") as? [Any] ?? []
            for volume in volumes {
                if let map = value(volume, "configMap", "name") as? String { #expect(names("ConfigMap").contains(map)) }
                if let claim = value(volume, "persistentVolumeClaim", "claimName") as? String {
                    #expect(names("PersistentVolumeClaim").contains(claim))
                }
                if value(volume, "secret") != nil { #expect(value(volume, "secret", "optional") as? Bool == true) }
            }
            let named = Set(volumes.compactMap { value($0, "name") as? String })
            for mount in value(pod, "containers", 0, "volumeMounts") as? [Any] ?? [] {
                #expect(named.contains(value(mount, "name") as? String ?? ""))
            }
        }
    }

    @Test(arguments: ["base", "overlays/plain-registry"])
    func `the agent's configuration in the ConfigMap is valid`(directory: String) throws {
        let objects = try Cluster.json(try Cluster.kustomize(directory))
        let map = try #require(
            objects.first {
                ($0["kind"] as? String) == "ConfigMap"
                    && (value($0, "metadata", "name") as? String ?? "").hasPrefix("slipway-config")
            })
        let text = try #require(value(map, "data", "agent.yaml") as? String)
        #expect(try Cluster.problems(text, "schema", Cluster.root + "/config/schema/agent.schema.json") == [])
        let agent = try #require(try Cluster.json(text).first)
        // What the configuration names lies where the Deployment mounts it.
        let deployment = objects.first {
            $0["kind"] as? String == "Deployment" && value($0, "metadata", "name") as? String == "slipway"
        }
        let mounts = value(deployment, "spec", "template", "spec", "containers", 0, "volumeMounts") as? [Any] ?? []
        let paths = mounts.compactMap { value($0, "mountPath") as? String }
        let files = ["sshKey", "knownHosts"].compactMap { value(agent, "git", $0) as? String }
        let used =
            files
            + [value(agent, "stateDirectory") as? String, value(agent, "dockerConfig") as? String].compactMap { $0 }
        for path in used { #expect(paths.contains { path == $0 || path.hasPrefix($0 + "/") }, "\(path)") }
        let host = (value(agent, "registries", 0, "host") as? String)
        if directory != "base" { #expect(host == "registry.slipway.svc.cluster.local:5000") }
    }
}

@Suite(.tags(.integration)) struct ConfigurationSchemaTests {
    private static let schema = Cluster.root + "/config/schema/agent.schema.json"

    @Test func `the annotated sample is valid`() throws {
        #expect(try Cluster.problems(try Cluster.text("config/agent.yaml"), "schema", Self.schema) == [])
    }

    @Test(arguments: [
        "repositories: [{url: /srv/app.git}]",
        "{interval: 1h30m, repositories: [{url: 'git@host:a.git', branch: b, builds: [{destinations: [a/b]}]}]}",
        "{registries: [{host: docker.io, map: 'oci:/srv'}], repositories: [{url: x, policies: [{image: a, policy: 'v*'}]}]}",
        "repositories: [{url: x, builds: [{destinations: [a], context: a/b, args: {N: 1}, tags: ['v{build.number}-a']}]}]",
        "{builds: {credentials: ['https://h/a']}, repositories: [{url: x, allowed: {destinations: ['r.io/a/**'], bases: []}}]}",
        "{webhooks: {receivers: [{type: github, secretFile: /s}, {name: a, type: quay, insecure: true}]}, repositories: [{url: x}]}",
        "{notifications: {channels: [{type: slack, urlFile: /u}, {type: slack, name: b, tokenFile: /t, channel: '#a'}]}, repositories: [{url: x}]}",
        "{notifications: {failingFor: 2m, channels: [{type: teams, urlFile: /u}], rules: [{channels: teams, events: [build-failed]}]}, repositories: [{url: x}]}",
        "{notifications: {channels: [{type: email, host: h, from: a@b, to: [c@d]}, {type: webhook, url: 'https://a', body: {a: [1]}}]}, repositories: [{url: x}]}",
        "repositories: [{url: x, allowed: {bases: [localhost/a, 'localhost:5000/*', '*.r.io/a', '**', 'oci:/srv/**']}}]",
    ])
    func `what is valid`(yaml: String) throws {
        #expect(try Cluster.problems(yaml, "schema", Self.schema) == [])
    }

    @Test(arguments: [
        "{}", "repositories: []", "repositories: [{name: a}]", "{repositories: [{url: x}], intervall: 1m}",
        "{repositories: [{url: x}], interval: 60}", "{repositories: [{url: x}], interval: '1 m'}",
        "{repositories: [{url: x}], stateDirectory: var}", "{repositories: [{url: x}], isolation: docker}",
        "{repositories: [{url: x}], webhooks: {receivers: [{type: github}]}}",
        "{repositories: [{url: x}], webhooks: {}}", "{repositories: [{url: x}], notifications: {}}",
        "{repositories: [{url: x}], notifications: {channels: [{type: irc}]}}",
        "{repositories: [{url: x}], notifications: {channels: [{type: slack}]}}",
        "{repositories: [{url: x}], notifications: {channels: [{type: slack, urlFile: /u, channel: a}]}}",
        "{repositories: [{url: x}], notifications: {channels: [{type: teams, url: 'https://a'}]}}",
        "{repositories: [{url: x}], notifications: {channels: [{type: webhook, url: 'https://a', urlFile: /u}]}}",
        "{repositories: [{url: x}], notifications: {channels: [], rules: [{channels: a, events: [all]}]}}",
        "{repositories: [{url: x}], webhooks: {receivers: [{type: github, secretFile: /s, insecure: true}]}}",
        "{repositories: [{url: x}], webhooks: {receivers: [{type: svn, secretFile: /s}]}}",
        "{repositories: [{url: x}], webhooks: {receivers: [{type: github, name: a/b, secretFile: /s}]}}",
        "{repositories: [{url: x}], listen: here}", "repositories: [{url: x, name: a/b}]",
        "repositories: [{url: x, builds: [{}]}]", "repositories: [{url: x, builds: [{destinations: []}]}]",
        "repositories: [{url: x, builds: [{destinations: [a], context: ../b}]}]",
        "repositories: [{url: x, builds: [{destinations: [a], dockerfile: /b}]}]",
        "repositories: [{url: x, builds: [{destinations: [a], tags: ['{nothing}']}]}]",
        "repositories: [{url: x, policies: [{image: a, policy: 'regexp:.*'}]}]",
        "repositories: [{url: x, allowed: {destinations: ['acme/*']}}]",
        "repositories: [{url: x, allowed: {bases: [nginx]}}]",
        "repositories: [{url: x, allowed: {tags: [a]}}]", "{builds: [], repositories: [{url: x}]}",
        "{repositories: [{url: x}], registries: [{map: [a]}]}", "{repositories: [{url: x}], git: {password: x}}",
    ])
    func `what is not valid`(yaml: String) throws {
        #expect(try !Cluster.problems(yaml, "schema", Self.schema).isEmpty)
    }
}
