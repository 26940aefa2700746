import Agent
import Foundation
import TestSupport
import Testing

@Suite(.tags(.integration)) struct ChartTests {
    /// Ways to set the values that differ in what is made.
    static let sets: [[String]] = [
        [], ["persistence.enabled=true", "persistence.storageClass=fast"], ["existingConfig.secret=mine"],
        ["existingConfig.configMap=mine", "registry.existingSecret=r"],
        ["git.existingSecret=flux-system", "git.auth=basic", "api.existingSecret=t", "webhooks.existingSecret=w"],
        [
            "git.existingSecret=argo", "git.secretKeys.identity=sshPrivateKey",
            "git.knownHosts.configMap=argocd-ssh-known-hosts-cm",
        ],
        ["git.existingSecret=t", "git.auth=token"],
        ["replicas=2", "podDisruptionBudget.enabled=true", "builder=kubernetes"],
        ["ingress.enabled=true", "ingress.className=nginx", "ingress.tlsSecret=cert", "ingress.webhooksOnly=true"],
        ["apply.namespaces={shop,web}", "apply.createNamespaces=true"],
        ["apply.clusterWide=true", "apply.impersonate[0].namespace=shop", "apply.impersonate[0].name=deployer"],
        ["apply.existingClusterRole=cluster-admin", "rbac.create=true", "events=false"],
        ["securityProfile=user"], ["securityProfile=root"], ["securityProfile=restricted"],
        ["securityProfile=hostUsers"], ["securityProfile=openshift"],
        ["appArmorProfile=Unconfined", "podSecurityContext.seLinuxOptions.type=spc_t"],
        ["networkPolicy.enabled=false", "serviceAccount.create=false", "rbac.create=false"],
        ["serviceAccount.annotations.eks\\.amazonaws\\.com/role-arn=arn:aws:iam::1:role/slipway"],
        [
            "extraEnv[0].name=A", "extraEnv[0].value=b", "extraVolumes[0].name=v", "extraVolumeMounts[0].name=v",
            "extraVolumeMounts[0].mountPath=/v",
        ],
        ["metrics.dashboard.enabled=true", "image.digest=sha256:" + String(repeating: "a", count: 64)],
    ]

    @Test func `helm lint has nothing to say`() throws {
        let output = try Helm.run("lint", "--strict", Helm.chart)
        #expect(output.stdout.contains("1 chart(s) linted, 0 chart(s) failed"))
    }

    @Test(arguments: sets) func `what the chart makes is what Kubernetes accepts`(settings: [String]) throws {
        let yaml = try Helm.template(settings)
        #expect(try Cluster.problems(yaml, "kubernetes") == [])
        let objects = try Cluster.json(yaml)
        for object in objects where value(object, "metadata", "namespace") == nil {
            let kind = object["kind"] as? String ?? ""
            #expect(kind == "Namespace" || kind.hasPrefix("Cluster"), "\(kind) has no namespace")
        }
    }

    @Test func `rules and dashboard are those of config`() throws {
        let objects = try Helm.objects([
            "metrics.serviceMonitor.enabled=true", "metrics.prometheusRule.enabled=true",
            "metrics.dashboard.enabled=true",
        ])
        let rule = try #require(objects.first { $0["kind"] as? String == "PrometheusRule" })
        let wanted = try #require(try Cluster.json(try Cluster.text("config/rules/slipway.yaml")).first)
        #expect(value(rule, "spec") as? NSDictionary == wanted as NSDictionary)
        let map = try #require(
            objects.first { value($0, "metadata", "name") as? String == "slipway-dashboard" })
        let text = try #require(value(map, "data", "slipway.json") as? String)
        let dashboard = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary
        let file = Data(try Cluster.text("config/dashboards/slipway.json").utf8)
        #expect(dashboard == (try JSONSerialization.jsonObject(with: file) as? NSDictionary))
        let monitor = try #require(objects.first { $0["kind"] as? String == "ServiceMonitor" })
        let service = try #require(objects.first { $0["kind"] as? String == "Service" })
        let labels = value(service, "metadata", "labels") as? [String: String] ?? [:]
        let wantedLabels = value(monitor, "spec", "selector", "matchLabels") as? [String: String] ?? ["": ""]
        #expect(wantedLabels.allSatisfy { labels[$0.key] == $0.value })
    }

    @Test(arguments: [
        ("replicas=two", "replicas"), ("imagee.tag=1", "imagee"), ("securityProfile=privileged", "securityProfile"),
        ("image.digest=sha256:1", "digest"), ("builder=docker", "builder"), ("git.auth=oauth", "auth"),
    ])
    func `the schema refuses what means nothing`(setting: String, word: String) throws {
        let output = try Helm.run(
            "template", "slipway", Helm.chart, "--set", setting, allowFailure: true)
        #expect(output.status != 0)
        #expect(output.stderr.contains(word), "\(output.stderr)")
    }

    @Test(
        arguments: [
            ([], ["stateDirectory": "/var/lib/slipway", "listen": "0.0.0.0:8080"]),
            (["git.existingSecret=s"], ["git.sshKey": "/etc/slipway-secrets/git/identity"]),
            (["git.existingSecret=s"], ["git.knownHosts": "/etc/slipway-secrets/git/known_hosts"]),
            (
                ["git.existingSecret=s", "git.secretKeys.identity=sshPrivateKey"],
                ["git.sshKey": "/etc/slipway-secrets/git/sshPrivateKey"]
            ),
            (["git.existingSecret=s", "git.auth=basic"], ["git.passwordFile": "/etc/slipway-secrets/git/password"]),
            (["git.existingSecret=s", "git.auth=token"], ["git.tokenFile": "/etc/slipway-secrets/git/bearerToken"]),
            (["git.existingSecret=s", "config.git.sshKey=/mine"], ["git.sshKey": "/mine"]),
            (["registry.existingSecret=s"], ["dockerConfig": "/etc/slipway-secrets/registry/config.json"]),
            (["api.existingSecret=s"], ["api.tokenFile": "/etc/slipway-secrets/api/token"]),
        ] as [([String], [String: String])])
    func `values fill in the configuration, and what it says itself wins`(
        settings: [String], expected: [String: String]
    ) throws {
        let objects = try Helm.objects(settings + ["config.repositories[0].url=https://git.example.com/a.git"])
        let map = try #require(objects.first { value($0, "metadata", "name") as? String == "slipway-config" })
        let text = try #require(value(map, "data", "agent.yaml") as? String)
        #expect(try Cluster.problems(text, "schema", Cluster.root + "/config/schema/agent.schema.json") == [])
        let agent = try #require(try Cluster.json(text).first)
        for (path, wanted) in expected {
            let found = path.split(separator: ".").reduce(agent as Any?) { value($0, String($1)) }
            #expect(found as? String == wanted, "\(path)")
        }
    }

    /// What docs/install.md says of each profile.
    @Test(
        arguments: [
            ("default", 1000, nil, true, ["SETUID", "SETGID"]), ("user", 1000, nil, false, []),
            ("root", 0, "RuntimeDefault", false, []), ("restricted", 1000, "RuntimeDefault", false, []),
            ("hostUsers", 0, "RuntimeDefault", nil, ["SYS_ADMIN"]), ("openshift", nil, nil, false, []),
        ] as [(String, Int?, String?, Bool?, [String])])
    func `the security profiles`(
        name: String, user: Int?, seccomp: String?, mayEscalate: Bool?, added: [String]
    ) throws {
        let objects = try Helm.objects(["securityProfile=\(name)"])
        let deployment = objects.first { $0["kind"] as? String == "Deployment" }
        let pod = value(deployment, "spec", "template", "spec")
        let container = value(pod, "containers", 0, "securityContext")
        #expect(value(pod, "securityContext", "runAsUser") as? Int == user)
        #expect(value(pod, "securityContext", "seccompProfile", "type") as? String == seccomp)
        #expect(value(container, "allowPrivilegeEscalation") as? Bool == mayEscalate)
        #expect(value(container, "capabilities", "add") as? [String] ?? [] == added)
        #expect(value(container, "privileged") == nil)
        #expect((value(pod, "hostUsers") as? Bool) == (name == "hostUsers" ? false : nil))
    }

    @Test(arguments: [("1.29", false), ("1.30", true), ("1.33", true)])
    func `AppArmor's profile is a field or an annotation`(version: String, isField: Bool) throws {
        let objects = try Helm.objects(["appArmorProfile=Unconfined"], version: version)
        let template = value(objects.first { $0["kind"] as? String == "Deployment" }, "spec", "template")
        let field = value(template, "spec", "containers", 0, "securityContext", "appArmorProfile", "type") as? String
        let annotation =
            value(template, "metadata", "annotations", "container.apparmor.security.beta.kubernetes.io/slipway")
            as? String
        #expect(field == (isField ? "Unconfined" : nil))
        #expect(annotation == (isField ? nil : "unconfined"))
    }

    @Test func `install.yaml and the kustomize base are what the chart renders`() throws {
        try Shell.run([Cluster.root + "/scripts/manifests.sh", "--check"])
    }

    @Test(
        arguments: [
            (ClusterFeature.builds, ["builder=kubernetes", "events=false"]),
            (.leaderElection, ["replicas=2", "events=false"]),
            (.events, []),
        ] as [(ClusterFeature, [String])])
    func `each feature's role grants what the doctor asks for, and nothing else`(
        feature: ClusterFeature, settings: [String]
    ) throws {
        let roles = try Helm.objects(settings).filter { $0["kind"] as? String == "Role" }
        #expect(roles.count == 1)
        let granted = try #require(roles.first).rights
        #expect(granted == Set(ClusterRight.all.filter { $0.feature == feature }.map(\.shown)))
    }

    @Test func `without features there are no rights, and no token`() throws {
        let objects = try Helm.objects(["events=false"])
        #expect(objects.filter { $0["kind"] as? String == "Role" }.allSatisfy { $0.rights.isEmpty })
        let deployment = objects.first { $0["kind"] as? String == "Deployment" }
        #expect(value(deployment, "spec", "template", "spec", "automountServiceAccountToken") as? Bool == false)
        #expect(!objects.contains { ($0["kind"] as? String ?? "").hasPrefix("Cluster") })
    }
}

extension [String: Any] {
    /// What a Role grants, each verb for itself: `create jobs.batch`.
    var rights: Set<String> {
        var rights: Set<String> = []
        for rule in self["rules"] as? [Any] ?? [] {
            for group in value(rule, "apiGroups") as? [String] ?? [] {
                for resource in value(rule, "resources") as? [String] ?? [] {
                    for verb in value(rule, "verbs") as? [String] ?? [] {
                        rights.insert("\(verb) \(resource)\(group.isEmpty ? "" : ".\(group)")")
                    }
                }
            }
        }
        return rights
    }
}
