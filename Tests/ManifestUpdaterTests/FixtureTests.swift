import Diagnostics
import ManifestUpdater
import TestSupport
import Testing

/// The manifests of a public repository that was built by kaniko and bumped by Flux v1.
@Suite(.tags(.unit))
struct FixtureTests {
    private let deployment = """
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: nginx-deployment
          namespace: web
          annotations:
            fluxcd.io/automated: "true"
        spec:
          selector:
            matchLabels:
              app: nginx
          replicas: 2
          template:
            metadata:
              labels:
                app: nginx
            spec:
              containers:
              - name: nginx
                image: bharamicrosystems/nginx:v3
                ports:
                - containerPort: 80

        """

    @Test func findsTheAnnotatedDeployment() throws {
        let scan = ManifestScan.scan(file: "nginx-deployment.yaml", bytes: Array(deployment.utf8))
        #expect(scan.skipped == [])
        let target = try #require(scan.targets.first)
        #expect(scan.targets.count == 1)
        #expect(target.workload.description == "web:deployment/nginx-deployment")
        #expect(target.container == "nginx")
        #expect(target.image == "bharamicrosystems/nginx:v3")
        #expect(target.location.description == "nginx-deployment.yaml:21:16")
        #expect(target.policy == nil)
        #expect(target.held == nil)
    }

    @Test func bumpsItByteForByte() throws {
        let bytes = Array(deployment.utf8)
        let target = try #require(ManifestScan.scan(file: "d.yaml", bytes: bytes).targets.first)
        let image = target.image.with(tag: "v4")
        let result = try ManifestUpdater.apply(
            [ManifestEdit(target: target, newImage: image)], to: bytes, file: "d.yaml")
        let expected = deployment.replacing("nginx:v3", with: "nginx:v4")
        #expect(String(decoding: result, as: UTF8.self) == expected)
        #expect(CommitMessage.automated(images: [image.description]) == "Auto-release bharamicrosystems/nginx:v4")
    }

    @Test func readsTheKanikoPod() throws {
        let pod = """
            apiVersion: v1
            kind: Pod
            metadata:
              name: kaniko
            spec:
              containers:
              - name: kaniko
                image: gcr.io/kaniko-project/executor:latest
                args: ["--dockerfile=/workspace/Dockerfile",
                        "--context=dir://workspace",
                        "--destination=bharamicrosystems/nginx:v3"]
                volumeMounts:
                  - name: kaniko-secret
                    mountPath: "/kaniko/.docker"
              restartPolicy: Never
              initContainers:
              - name: init-kaniko
                image: yauritux/busybox-curl
                command: ["sh", "-c", "curl -k -o /workspace/Dockerfile https://example.com/Dockerfile"]
              volumes:
                - name: kaniko-secret
                  secret:
                    secretName: regcred
                - name: dockerfile-storage
                  emptyDir: {}
            """
        let pods = try PodSpecReader.pods(in: Array(pod.utf8), file: "build.yaml")
        let spec = try #require(pods.first)
        #expect(spec.workload.description == "default:pod/kaniko")
        #expect(
            spec.containers.first?.args == [
                "--dockerfile=/workspace/Dockerfile", "--context=dir://workspace",
                "--destination=bharamicrosystems/nginx:v3",
            ])
        #expect(spec.containers.first?.volumeMounts.first?.mountPath == "/kaniko/.docker")
        #expect(spec.initContainers.first?.command.count == 3)
        #expect(spec.volumes.map(\.kind) == ["secret", "emptyDir"])
    }
}
