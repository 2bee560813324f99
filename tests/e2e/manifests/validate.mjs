// Reads a JSON list of Kubernetes objects from standard input, and writes for each what the models of
// @kubernetes-models say is wrong with it: null for nothing, or for a kind that they do not know.
import { readFileSync } from "node:fs";
import { ClientTrafficPolicy } from "@kubernetes-models/envoy-gateway/gateway.envoyproxy.io/v1alpha1/ClientTrafficPolicy";
import { EnvoyExtensionPolicy } from "@kubernetes-models/envoy-gateway/gateway.envoyproxy.io/v1alpha1/EnvoyExtensionPolicy";
import { WasmPlugin } from "@kubernetes-models/istio/extensions.istio.io/v1alpha1/WasmPlugin";

const models = { ClientTrafficPolicy, EnvoyExtensionPolicy, WasmPlugin };

const problem = (object) => {
  const model = models[object.kind];
  if (!model) return null;
  try {
    new model(object).validate();
    return null;
  } catch (error) {
    return error.message;
  }
};

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(problem)));
